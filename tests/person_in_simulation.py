# SPDX-License-Identifier: Apache-2.0
"""A scripted person at a simulated world without ROS: the loop of the graph, fast enough to play often."""

from dataclasses import dataclass, field

import numpy as np

from hilserl_sim.command import Command
from hilserl_sim.world import SimWorld
from hilserl_task.action_codec import arm_target, values_from_stick
from hilserl_task.gripper import GripperState
from hilserl_teleop.craft import View
from hilserl_teleop.scripted_operator import OperatorOutput, ScriptedOperator


@dataclass
class Played:
    """An episode: what the person saw and did in every step."""

    views: list[View] = field(default_factory=list)
    outputs: list[OperatorOutput] = field(default_factory=list)
    done: list[bool] = field(default_factory=list)  # as the person sees it

    @property
    def success(self):
        return self.done[-1]


class Person:
    """Plays episodes.

    `policy(view)`: action values by arm, a learned gripper's last, while the person keeps the hands off;
    default: nothing.
    """

    def __init__(self, world: SimWorld, phase: str, seed: int, board_moved: bool = False):
        self.world, self.task, self.phase = world, world.task, phase
        self.operator = ScriptedOperator(self.task, phase, np.random.default_rng(seed))
        self.grippers = {
            arm.name: GripperState.at_start(arm.gripper) for arm in self.task.arms if arm.gripper.learned
        }
        world.reset(np.random.default_rng(seed), board_moved)

    def look(self, step: int) -> View:
        """What a person sees."""
        world, truth = self.world, self.world.truth()
        bases = {name: arm.world_T_base for name, arm in world.arms.items()}
        measured = {name: world.measure(name) for name in world.arms}
        return View(
            step=step,
            world_T_tcp={name: bases[name] @ seen.base_T_tcp for name, seen in measured.items()},
            opening={name: seen.gripper for name, seen in measured.items()},
            hand_open={name: arm.gripper.goal >= 0.5 for name, arm in world.arms.items()},
            world_T={**{f"{name}/base": base for name, base in bases.items()}, **truth.frames},
            world_T_goal=bases[self.task.arms[0].name] @ truth.base_T_goal,
            depth=truth.insertion_depth,
            success=truth.success,
            kind=truth.kind,
        )

    def play(self, policy=None, steps=None, on_view=None) -> Played:
        """One episode, until it is done (in phase `labels`: until the person stops)."""
        played = Played()
        for step in range(steps or self.task.episode.max_steps):
            view = self.look(step)
            output = self.operator.act(view)
            done = self.operator.craft.finished(view)
            played.views.append(view)
            played.outputs.append(output)
            played.done.append(done)
            if on_view is not None:
                on_view(view, output)
            if output.discard_button or (done and self.phase != "labels"):
                break
            self.step(view, output, policy)
        return played

    def step(self, view: View, output: OperatorOutput, policy=None) -> None:
        """Commands every arm and lets the world go on by one period."""
        asked = {} if policy is None or output.intervening else policy(view)
        for arm in self.task.arms:
            base_T_tcp = self.world.measure(arm.name).base_T_tcp
            stick = output.sticks[arm.name]
            stick = np.where(np.abs(stick) > self.task.operator.deadband, stick, 0.0)
            values, motions = values_from_stick(self.task, arm, base_T_tcp, stick), len(arm.action.axes)
            if arm.name in asked:
                values = np.clip(asked[arm.name], -1.0, 1.0)
            self._grip(arm.name, output, values[motions:])
            target = arm_target(base_T_tcp, values[:motions], arm)
            self.world.command(Command.of(target), arm=arm.name)
        self.world.advance(self.task.cycles_per_step)

    def _grip(self, arm: str, output: OperatorOutput, asked) -> None:
        gripper = self.grippers.get(arm)
        if gripper is None:
            return
        if arm in output.gripper_buttons and not gripper.rests(self.world.stamp_ns):
            gripper.execute(gripper.toggling_value(), self.world.stamp_ns)
        elif len(asked):
            gripper.execute(float(asked[0]), self.world.stamp_ns)
        self.world.set_gripper(gripper.position, arm=arm)
