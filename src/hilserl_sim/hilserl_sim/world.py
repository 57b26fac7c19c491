# SPDX-License-Identifier: Apache-2.0
"""The simulated world of one task, without ROS: reset, targets, 1 kHz cycles, sensors, truth.

Same task, seed and targets give the same states and pictures, bit for bit, whatever ran before.
"""

from __future__ import annotations

from collections.abc import Iterable

import mujoco
import numpy as np
from numpy.typing import NDArray

from hilserl_sim.arm import Measurement, SimArm
from hilserl_sim.cameras import Cameras
from hilserl_sim.command import Command
from hilserl_sim.events import Events
from hilserl_sim.inverse_kinematics import InverseKinematics
from hilserl_sim.scene import Start, Truth
from hilserl_sim.scenes import make_scene
from hilserl_task import Task, TaskError
from hilserl_task.evaluation_spec import EventKind
from hilserl_task.frames import Array

START_NS = 1_000_000_000  # simulated time at start; zero would read as "no stamp"
DIVERGED = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)
# Under the controller after the arm was put to its start pose. No multiple of a policy period, so that the
# stamp after a reset never looks like the next step's.
SETTLE_S = 0.201


class SimulationFault(RuntimeError):
    """The physics diverged; nothing after it can be trusted."""


class SimWorld:
    """One scene with its arms and cameras.

    Args:
        task: validated task; `task.scene` names the scene.

    Raises:
        TaskError: scene, camera, scene parameter, gripper or event does not fit.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._scene = make_scene(task)
        self.model = mujoco.MjModel.from_xml_string(self._scene.mjcf())
        rate = task.arms[0].controller.rate_hz
        self.model.opt.timestep = 1.0 / rate
        self.data = mujoco.MjData(self.model)
        self._scene.bind(self.model)
        self.arms = {spec.name: SimArm(self.model, self.data, spec) for spec in task.arms}
        self._kinematics = {spec.name: InverseKinematics(self.model, spec.name) for spec in task.arms}
        fixture = getattr(self._scene, "fixture", "")  # a scene that can be shifted says so
        self._check_scene(fixture)
        self._events = Events(self.model, self.data, task, self.arms, fixture)
        self._cameras: Cameras | None = None
        self._cycle_ns = round(1e9 / rate)
        self._rate = rate
        self._stamp_ns = self._episode_start_ns = START_NS
        self._first_arm = next(iter(self.arms.values()))
        self.reset(np.random.default_rng(0))

    def _check_scene(self, fixture: str) -> None:
        """Raises TaskError where an episode would hang, or an event could not happen."""
        scene = "" if self.task.scene is None else self.task.scene.name
        for spec in self.task.arms:
            if self.arms[spec.name].gripper.moves and not spec.gripper.learned:
                raise TaskError(
                    f"scene {scene}: arm '{spec.name}' has moving fingers, but gripper.mode is "
                    f"{spec.gripper.mode} and nobody would command them; use gripper: {{mode: learned}}"
                )
        if fixture and self.model.body(fixture).jntnum[0]:
            raise TaskError(
                f"scene {scene}: fixture '{fixture}' moves on a joint, so it cannot be shifted; name a body "
                "that is fixed to the world, or none"
            )

    @property
    def stamp_ns(self) -> int:
        """Simulated time, nanoseconds; never goes back."""
        return self._stamp_ns

    @property
    def event_kinds(self) -> tuple[EventKind, ...]:
        """Events that can happen in this scene."""
        return self._events.kinds

    @property
    def events(self) -> tuple[EventKind, ...]:
        """Events that have begun in this episode, in order."""
        return self._events.happened

    def reset(
        self, rng: np.random.Generator, board_moved: bool = False, events: Iterable[EventKind] = ()
    ) -> None:
        """Draws an episode, puts every arm at its start pose and lets it settle there.

        Args:
            rng: of the episode; the same one draws the same episode, whatever disturbs it later.
            board_moved: the same as the event of this name.
            events: what happens in this episode.

        Raises:
            ValueError: a start pose is out of the arm's reach, or the scene does not have an event.
        """
        kinds = {*events, *(("board_moved",) if board_moved else ())}
        self._events.check(events)
        self._events.stop()
        mujoco.mj_resetData(self.model, self.data)
        starts = self._scene.randomize(self.model, self.data, rng, "board_moved" in kinds)
        for name, start in starts.items():
            self._place_arm(name, start)
        mujoco.mj_forward(self.model, self.data)
        self._episode_start_ns = self._stamp_ns
        for name, arm in self.arms.items():
            arm.reset(0.0)
            arm.command(Command(starts[name].base_T_tcp), 0.0)
        self.advance(round(SETTLE_S * self._rate))
        self._events.begin(kinds, rng)

    def set_target(self, base_T_target: Array, stamp_ns: int | None = None, arm: str | None = None) -> bool:
        """Hands a 4x4 target to an arm's law; `command` with a pose alone."""
        return self.command(Command(base_T_target), stamp_ns, arm)

    def command(self, command: Command, stamp_ns: int | None = None, arm: str | None = None) -> bool:
        """Hands a command to an arm's law.

        Args:
            stamp_ns: simulated time the command's age is counted from; None: now.
            arm: name; None: the first arm.

        Returns:
            False when the law refuses the command (not finite, not a pose).
        """
        since_start = (self._stamp_ns if stamp_ns is None else stamp_ns) - self._episode_start_ns
        return self._arm(arm).command(command, since_start * 1e-9)

    def set_gripper(self, position: float, max_effort: float = 0.0, arm: str | None = None) -> None:
        """Where the gripper of an arm (None: the first) shall go: 0 closed .. 1 open, with so many N."""
        self._arm(arm).gripper.command(position, max_effort)

    def advance(self, cycles: int) -> None:
        """Runs controller and physics for a number of controller cycles.

        Raises:
            SimulationFault: the physics diverged.
        """
        model, data, step1, step2 = self.model, self.data, mujoco.mj_step1, mujoco.mj_step2
        arms = tuple(self.arms.values())
        # Time since the reset: an episode does not depend on what ran before it.
        now_ns = self._stamp_ns - self._episode_start_ns
        events = self._events if self._events.active else None
        for _ in range(cycles):
            if events is not None:
                events.cycle()
            step1(model, data)
            now = now_ns * 1e-9
            for arm in arms:
                arm.control(now)
            step2(model, data)
            for arm in arms:
                arm.filter_wrench()
            now_ns += self._cycle_ns
        self._stamp_ns = self._episode_start_ns + now_ns
        # Poses and contacts of the state just reached; the next step1 computes the same again.
        mujoco.mj_step1(model, data)
        self._check()

    def measure(self, arm: str | None = None) -> Measurement:
        """Sensors of an arm (None: the first) at the present stamp."""
        return self._arm(arm).measure()

    def copy_state(self, data: mujoco.MjData) -> None:
        """Copies the whole state into another MjData of the same model."""
        mujoco.mj_copyData(data, self.model, self.data)

    def render(self, data: mujoco.MjData | None = None) -> dict[str, NDArray[np.uint8]]:
        """Picture of every camera of the task, uint8 (size, size, 3) RGB, fresh arrays.

        Args:
            data: a copy made by `copy_state`; None: the present state.
        """
        return self._renderer().render(self.data if data is None else data)

    def render_scene(self, width: int, height: int) -> NDArray[np.uint8]:
        """Picture (height, width, 3) of the whole scene, for people."""
        return self._renderer().render_one(self.data, "scene", width, height)

    def truth(self) -> Truth:
        """Privileged state of the present stamp."""
        return self._scene.truth(self.data)

    def close(self) -> None:
        """Frees the renderer."""
        if self._cameras is not None:
            self._cameras.close()
            self._cameras = None

    def _check(self) -> None:
        """MuJoCo resets a diverged state by itself and only counts it: that must not go unnoticed."""
        diverged = sum(int(self.data.warning[kind].number) for kind in DIVERGED)
        if diverged or not np.isfinite(self.data.qpos).all():
            raise SimulationFault(f"simulation diverged at {self._stamp_ns * 1e-9:.3f} s; start it again")

    def _renderer(self) -> Cameras:
        """Made on first use, in the thread that renders: an OpenGL context belongs to its thread."""
        if self._cameras is None:
            self._cameras = Cameras(self.model, self.task)
        return self._cameras

    def _arm(self, name: str | None) -> SimArm:
        return self._first_arm if name is None else self.arms[name]

    def _place_arm(self, name: str, start: Start) -> None:
        address = int(self.model.joint(f"{name}/joint1").qposadr[0])
        q = self._kinematics[name].solve(self.arms[name].world_T_base @ start.base_T_tcp)
        self.data.qpos[address : address + len(q)] = q
        self.arms[name].gripper.reset(start.gripper)
