# SPDX-License-Identifier: Apache-2.0
"""Carries scripted motions out between two episodes, when the mux is silent.

Lockstep: one target of every arm for each moment, stamped with it, as the mux does in an episode; simulated
time is the clock. Realtime: targets at a fixed rate by the steady clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from builtin_interfaces.msg import Time

from hilserl_agent.chain.motion import MotionFailed, MotionPlayer
from hilserl_msgs.msg import Action, CartesianControllerState, CartesianTarget, GripperCommand
from hilserl_ros import codec, qos, topics
from hilserl_ros.node import WARN, HilserlNode
from hilserl_task.chain_spec import MotionSpec
from hilserl_task.frames import Array
from hilserl_task.gripper import CLOSED, OPEN, starts_open

RATE_HZ = 50.0  # realtime
FRESH_S = 0.3  # realtime: a controller that says nothing for so long is dead
SILENCE_S = 5.0  # no state of some arm at all: lockstep stands still, or the controllers never spoke
LAST_ACTION_S = 0.3  # realtime: the answer to the last action of an episode may still be under way


class Mover:
    """Owns the arms between episodes.

    Args:
        node: the chain's.
        done: called with the stamp of the state in which all motions are done.
        failed: called with the reason why they are not, and whether the graph is to blame; the arms hold.
    """

    def __init__(
        self, node: HilserlNode, done: Callable[[Time], None], failed: Callable[[str, bool], None]
    ) -> None:
        self._node, self._done, self._failed = node, done, failed
        self._task, self._lockstep = node.task, node.task.pacing == "lockstep"
        self._arms = {arm.name: arm for arm in node.task.arms}
        self._poses: dict[str, Array] = {}
        self._stamps_ns: dict[str, int] = {}
        self._heard_at: dict[str, float] = {}
        self._grippers: dict[str, float] = {}
        self._player: MotionPlayer | None = None
        self._motions: Sequence[MotionSpec] | None = None
        self._answered_ns = 0
        self._connect()

    def _connect(self) -> None:
        create = self._node.create_publisher
        self._targets = {
            name: create(CartesianTarget, topics.controller_target(name), qos.CONTROLLER_TARGET)
            for name in self._arms
        }
        self._commands = {
            name: create(GripperCommand, topics.gripper_command(name), qos.GRIPPER_COMMAND)
            for name in self._arms
        }
        for name in self._arms:
            listen = self._node.create_subscription
            state, gripper = topics.controller_state(name), topics.gripper_command(name)
            profile = qos.sensor(self._task.pacing)
            listen(CartesianControllerState, state, partial(self._on_state, name), profile)
            listen(GripperCommand, gripper, partial(self._on_gripper, name), qos.GRIPPER_COMMAND)
        self._node.create_subscription(Action, topics.EXECUTED_ACTION, self._on_executed, qos.EXECUTED_ACTION)
        if not self._lockstep:
            self._node.create_timer(1.0 / RATE_HZ, self._tick)

    # -- what the chain asks for ----------------------------------------------------------------------

    def start(self, motions: Sequence[MotionSpec], rng: np.random.Generator, not_before: Time) -> None:
        """Begins motions from the first state that is not older than a stamp; `done` or `failed` follows."""
        self._motions, self._rng, self._player = motions, rng, None
        self._not_before_ns = codec.ns_from_stamp(not_before)
        self._began_at = self._moved_at = time.monotonic()
        self._answered_ns = 0
        if self._lockstep:
            self._step()

    def stop(self, hold: bool = True) -> None:
        """Gives the motions up; by the clock the arms are told once to stay where they are.

        An arm whose state is old is told nothing: the old pose would pull it back. Its controller holds it.
        """
        moving, self._motions, self._player = self._motions is not None, None, None
        if hold and moving and not self._lockstep:
            now = time.monotonic()
            fresh = {
                name: pose for name, pose in self._poses.items() if now - self._heard_at[name] <= FRESH_S
            }
            self._publish(fresh, self._node.get_clock().now().nanoseconds)

    def forget_grippers(self) -> None:
        """After a reset: the simulator puts learned grippers where an episode starts with them; on a robot
        nobody does, so where they are is not known and every command of a motion is sent."""
        for name, arm in self._arms.items():
            if not arm.gripper.learned:
                continue
            if self._task.scene is None:
                self._grippers.pop(name, None)
            else:
                self._grippers[name] = OPEN if starts_open(arm.gripper) else CLOSED

    def wrong_gripper(self) -> str:
        """Why an episode cannot begin with the grippers as they are; empty when it can.

        The mux puts a learned gripper where its episodes start, so it has to be there already.
        """
        for name, arm in self._arms.items():
            position = self._grippers.get(name)
            if arm.gripper.learned and position is not None and (position >= 0.5) != starts_open(arm.gripper):
                wanted = OPEN if starts_open(arm.gripper) else CLOSED
                return (
                    f"gripper of arm '{name}' is at {position:g}, but the policy's episodes begin with "
                    f"gripper.position: {arm.gripper.position:g}; add to the approach: gripper: "
                    f"{{arm: {name}, position: {wanted:g}}}"
                )
        return ""

    def check(self) -> None:
        """Notices that nobody speaks; call it now and then."""
        if self._motions is None or time.monotonic() - self._moved_at < SILENCE_S:
            return
        waits = "stamp of the same moment from all arms" if self._lockstep else "state"
        silent = [name for name in self._arms if self._stamps_ns.get(name, -1) < self._not_before_ns]
        about = f" of arm {', '.join(silent)}" if silent else ""
        self._give_up(f"no {waits}{about} for {SILENCE_S:g} s; is the controller or simulation running?")

    # -- input ----------------------------------------------------------------------------------------

    def _on_state(self, name: str, message: CartesianControllerState) -> None:
        try:
            self._poses[name] = codec.matrix_from_pose(message.pose)
        except ValueError as error:
            self._node.diagnose(WARN, f"state of arm '{name}' unusable", reason=error)
            return
        self._stamps_ns[name] = codec.ns_from_stamp(message.header.stamp)
        self._heard_at[name] = time.monotonic()
        if self._lockstep:
            self._step()

    def _on_gripper(self, name: str, message: GripperCommand) -> None:
        """Whoever commands a gripper: this is where it is."""
        self._grippers[name] = float(message.position)

    def _on_executed(self, message: Action) -> None:
        """The mux moves the arms: an episode runs that this chain knows nothing of."""
        late = time.monotonic() - self._began_at > LAST_ACTION_S if self._motions is not None else False
        if late and not self._lockstep and message.source != Action.SOURCE_HOLD:
            self._give_up(
                f"the mux moves the arms, in episode {message.episode}; is there an actor beside the chain?"
            )

    # -- motion ---------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Lockstep: the world stands still until every arm has a target of this moment."""
        if self._motions is None or self._stamps_ns.keys() != self._arms.keys():
            return
        stamps = set(self._stamps_ns.values())
        stamp_ns = max(stamps)
        if len(stamps) > 1 or stamp_ns < self._not_before_ns or stamp_ns <= self._answered_ns:
            return
        self._answered_ns = stamp_ns
        self._go_on(stamp_ns * 1e-9, stamp_ns, ahead_s=self._task.period_s)

    def _tick(self) -> None:
        """Realtime: where the arms shall be now; the controllers' own limits hold in addition."""
        if self._motions is None:
            return
        now = time.monotonic()
        silent = [name for name in self._arms if now - self._heard_at.get(name, -np.inf) > FRESH_S]
        early = [name for name in self._arms if self._stamps_ns.get(name, -1) < self._not_before_ns]
        if self._player is None and (silent or early):
            return  # `check` loses patience
        if silent:
            self._give_up(f"controller of arm {', '.join(silent)} is silent; is it active?")
            return
        self._go_on(now, self._node.get_clock().now().nanoseconds, ahead_s=0.0)

    def _go_on(self, now_s: float, stamp_ns: int, ahead_s: float) -> None:
        self._moved_at = time.monotonic()
        assert self._motions is not None
        if self._player is None:
            self._player = MotionPlayer(
                self._motions, self._arms, self._poses, self._grippers, now_s, self._rng
            )
        try:
            self._player.play(self._poses, now_s)
        except MotionFailed as failure:
            self._give_up(str(failure), the_graph=False)
            return
        self._command_grippers(self._player.grippers, stamp_ns)
        if self._player.done:
            self.stop(hold=False)
            self._done(codec.stamp_from_ns(stamp_ns))
        else:
            self._publish(self._player.targets(now_s + ahead_s), stamp_ns)

    def _publish(self, base_T_target: dict[str, Array], stamp_ns: int) -> None:
        for name, pose in base_T_target.items():
            self._targets[name].publish(
                CartesianTarget(
                    header=codec.header(stamp_ns, self._arms[name].base_frame),
                    mode=CartesianTarget.MODE_POSE,
                    pose=codec.pose_from_matrix(pose),
                )
            )

    def _command_grippers(self, positions: dict[str, float], stamp_ns: int) -> None:
        """Once a change; in lockstep the simulation waits for one of a gripper that moves in every step."""
        for name, position in positions.items():
            waited_for = self._lockstep and self._arms[name].gripper.learned
            assert self._player is not None
            if (waited_for and not self._player.done) or position != self._grippers.get(name):
                command = GripperCommand(header=codec.header(stamp_ns), position=position)
                self._commands[name].publish(command)
                self._grippers[name] = position

    def _give_up(self, reason: str, the_graph: bool = True) -> None:
        self.stop()
        self._failed(reason, the_graph)
