# SPDX-License-Identifier: Apache-2.0
"""Schema of a task file. Every number of a task lives here, with its unit in its name and its bounds.

Wrong values never get past `hilserl_task.loader.load_task`, so no node checks them again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hilserl_task.action_layout import ActionLayout
from hilserl_task.action_spec import KEYS as ACTION_KEYS
from hilserl_task.action_spec import ActionSpec, WrenchControlSpec
from hilserl_task.camera_spec import DEVICE_ONLY, CameraSpec, check_cameras
from hilserl_task.demonstration_spec import DemonstrationSpec
from hilserl_task.device_spec import check_devices
from hilserl_task.evaluation_spec import EvaluationSpec
from hilserl_task.learner_spec import LEARNER_ONLY, LearnerSpec
from hilserl_task.operator_spec import OperatorSpec
from hilserl_task.reset_spec import ResetSpec
from hilserl_task.reward_spec import RewardSpec
from hilserl_task.section import (
    Angle,
    Fraction,
    Name,
    NonNegative,
    Positive,
    Positive3,
    Section,
    Vector3,
)


class GripperSpec(Section):
    """A fixed gripper holds one position. A learned one adds an action value: -1 close, 0 stay, +1 open."""

    mode: Literal["fixed", "learned"] = "fixed"
    position: Fraction = Field(
        0.0,
        description="0 closed .. 1 open: held (fixed); as an episode starts, below 0.5 closed (learned)",
    )
    pause_s: NonNegative = Field(
        0.6, le=5.0, description="learned: least time between two changes (original: gripper_sleep)"
    )
    penalty: Annotated[float, Field(ge=-1, le=0)] = Field(
        -0.02,
        description="learned: added to the grasp critic's reward at every change (original: USB, handover)",
    )

    @property
    def learned(self) -> bool:
        """Whether the policy commands it."""
        return self.mode == "learned"


class ClipSpec(Section):
    """Largest error the law acts on, per axis and sign, on error = target - measured, base axes."""

    negative: Positive3
    positive: Positive3


class GainsSpec(Section):
    """One compliance profile. Static push along an axis is stiffness times clip."""

    translational_stiffness: Positive = Field(2000.0, le=6000, description="N/m")
    translational_damping: Positive = Field(89.0, le=400, description="N s/m")
    rotational_stiffness: Positive = Field(75.0, le=300, description="Nm/rad of rotation vector")
    rotational_damping: Positive = Field(7.0, le=30, description="Nm s/rad")
    translational_clip_m: ClipSpec
    rotational_clip_rad: ClipSpec


class OrientationSpec(Section):
    """Bound of the orientation: rotation vector from a reference, base axes, radians."""

    reference_rpy_rad: Vector3 = Field((3.141592653589793, 0.0, 0.0), description="tool down: [pi, 0, 0]")
    minimum_rad: tuple[Angle, Angle, Angle] = (-0.5, -0.5, -0.5)
    maximum_rad: tuple[Angle, Angle, Angle] = (0.5, 0.5, 0.5)

    @model_validator(mode="after")
    def _ordered(self) -> OrientationSpec:
        if not all(low < high for low, high in zip(self.minimum_rad, self.maximum_rad, strict=True)):
            raise ValueError("minimum_rad must be below maximum_rad on every axis; example: -0.5 and 0.5")
        return self


class WorkspaceSpec(Section):
    """Box for the target position in the base frame, metres. Of wrench actions: soft walls."""

    minimum_m: Vector3
    maximum_m: Vector3
    orientation: OrientationSpec | None = Field(None, description="left out: any")

    @model_validator(mode="after")
    def _ordered(self) -> WorkspaceSpec:
        if not all(low < high for low, high in zip(self.minimum_m, self.maximum_m, strict=True)):
            raise ValueError("minimum_m must be below maximum_m on every axis")
        return self


class ControllerSpec(Section):
    """Numbers of the control law (hilserl_control)."""

    rate_hz: int = Field(1000, ge=100, le=4000)
    gains: GainsSpec
    workspace: WorkspaceSpec
    max_linear_speed: Positive = Field(0.25, le=1.0, description="of the reference, m/s")
    max_angular_speed: Positive = Field(1.5, le=3.0, description="of the reference, rad/s")
    reference_time_constant_s: NonNegative = Field(0.05, le=1.0)
    gain_time_constant_s: NonNegative = Field(0.2, le=5.0)
    target_timeout_s: Positive = Field(0.5, le=5.0)
    max_force_n: Positive = Field(40.0, le=150)
    max_torque_nm: Positive = Field(10.0, le=50)
    max_effort_rate: Positive = Field(1000.0, le=5000, description="Nm/s, each joint")
    nullspace_stiffness: NonNegative = Field(10.0, le=100)
    joint1_nullspace_stiffness: NonNegative = Field(10.0, le=100)
    wrench: WrenchControlSpec = Field(WrenchControlSpec(), description="with action.type: wrench")


class ArmSpec(Section):
    """One arm. Its topics live in the namespace `name`."""

    name: Name = "arm"
    robot: Name = Field("panda", description="simulated: panda; on a robot its file in config/robots")
    base_frame: str = "panda_link0"
    action: ActionSpec = ActionSpec()
    gripper: GripperSpec = GripperSpec()
    controller: ControllerSpec
    joints: int = Field(7, ge=1, le=8, description="counts with observation.joint_state only")

    @model_validator(mode="after")
    def _wrench_fits(self) -> ArmSpec:
        controller, action = self.controller, self.action
        if action.type != "wrench":
            if controller.wrench != WrenchControlSpec():
                raise ValueError(
                    "controller.wrench goes with action.type: wrench, but it is twist; leave it out"
                )
            return self
        for key, scales, limit in (
            ("force_scale_n", action.force_scale_n, controller.max_force_n),
            ("torque_scale_nm", action.torque_scale_nm, controller.max_torque_nm),
        ):
            for axis, scale in scales.items():
                if scale > limit:
                    name = "max_force_n" if key == "force_scale_n" else "max_torque_nm"
                    raise ValueError(
                        f"action.{key}.{axis}: {scale:g} must not be above controller.{name} ({limit:g}), "
                        f"or the law cuts it; example: {limit:g}"
                    )
        return self


class ObservationSpec(Section):
    """What an observation is made of."""

    image_size: int = Field(128, ge=32, le=512, description="pixels, square, after the crop")
    max_age_s: Positive = Field(0.08, le=1.0, description="realtime: oldest sensor part of an observation")
    joint_state: bool = Field(
        False, description="joint positions and velocities are in the state (paper: dynamic tasks)"
    )
    start_class: bool = Field(
        False,
        description="which of reward.flip_between the episode began as is in the state (original: class id)",
    )


class EpisodeSpec(Section):
    """Length of an episode."""

    max_steps: int = Field(100, ge=1, le=2000)


class SceneSpec(Section):
    """Simulated scene: its name in hilserl_sim's table and its own numbers (checked by the scene)."""

    name: Name
    parameters: dict[str, float] = {}


class TrainingSpec(Section):
    """When training is over: running success over a window of episodes is stable."""

    max_steps: int = Field(20_000, ge=1)
    window_episodes: int = Field(20, ge=1)
    stop_success_rate: Fraction = 0.95
    stop_intervention_rate: Fraction = 0.05
    stable_episodes: int = Field(10, ge=1, description="consecutive episodes that meet both")


class Task(Section):
    """A task file."""

    name: Name
    description: str = ""
    pacing: Literal["lockstep", "realtime"] = "lockstep"
    period_s: Positive = Field(0.1, ge=0.02, le=1.0, description="of the policy (paper: 10 Hz)")
    arms: tuple[ArmSpec, ...] = Field(min_length=1)
    cameras: tuple[CameraSpec, ...] = Field(min_length=1)
    observation: ObservationSpec = ObservationSpec()
    episode: EpisodeSpec = EpisodeSpec()
    reset: ResetSpec = ResetSpec()
    scene: SceneSpec | None = None
    reward: RewardSpec = RewardSpec()
    operator: OperatorSpec = OperatorSpec()
    demonstrations: DemonstrationSpec = DemonstrationSpec()
    learner: LearnerSpec = LearnerSpec()
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        arms = [arm.name for arm in self.arms]
        cameras = [camera.name for camera in self.cameras]
        _require_unique("arms", arms)
        _require_unique("cameras", cameras)
        check_devices(self.operator.devices, arms)
        for camera in self.cameras:
            if camera.arm not in arms:
                raise ValueError(f"camera '{camera.name}': arm '{camera.arm}' is not one of the arms {arms}")
        check_cameras(self.cameras, simulated=self.scene is not None)
        for name in self.reward.cameras:
            if name not in cameras:
                raise ValueError(f"reward.cameras: '{name}' is not one of the cameras {cameras}")
        _require_unique("reward.cameras", list(self.reward.cameras))
        for name in self.reset.taught_poses:
            if name not in arms:
                raise ValueError(f"reset.taught_poses: '{name}' is not one of the arms {arms}")
        self._check_clocks()
        if self.pacing == "lockstep" and self.scene is None:
            raise ValueError("pacing: lockstep needs a simulated scene; use pacing: realtime on a robot")
        self._check_pictures_for_updates()
        self._check_stick_frame()
        self._check_who_pays()
        self._check_start_class()
        self._check_events()
        return self

    def _check_clocks(self) -> None:
        """Period, controller rates and time-outs have to fit each other."""
        rate = self.arms[0].controller.rate_hz
        for arm in self.arms:
            controller = arm.controller
            if controller.rate_hz != rate:
                raise ValueError(
                    f"arm '{arm.name}': controller.rate_hz: {controller.rate_hz}, must be the same for all "
                    f"arms, e.g. {rate} as of '{self.arms[0].name}'"
                )
            if controller.target_timeout_s <= self.period_s:
                raise ValueError(
                    f"arm '{arm.name}': controller.target_timeout_s: {controller.target_timeout_s} s must be "
                    f"longer than period_s ({self.period_s} s), or the arm stops between two targets; "
                    f"e.g. {5 * self.period_s:g}"
                )
            wrench_s = controller.wrench.timeout_s
            if arm.action.type == "wrench" and wrench_s <= self.period_s:
                raise ValueError(
                    f"arm '{arm.name}': controller.wrench.timeout_s: {wrench_s} s must be longer than "
                    f"period_s ({self.period_s} s), or the wrench drops out between two actions; "
                    f"e.g. {2 * self.period_s:g}"
                )
        cycles = self.period_s * rate
        if abs(cycles - round(cycles)) > 1e-9:
            raise ValueError(f"period_s: {self.period_s} s is not a whole number of controller cycles")

    def _check_pictures_for_updates(self) -> None:
        """Profiles on the published trunk need its weights, and crops need stored pictures."""
        learner = self.learner
        if not learner.policy_images:
            return
        if learner.profile != "fast" and learner.trunk_weights is None:
            raise ValueError(
                f"learner.trunk_weights: missing, but learner.profile: {learner.profile} reads pictures "
                "through the published ResNet-10; name its file (resnet10_params.pkl of the SERL release, or "
                "a .safetensors), or learner.trunk_weights: random for seeded random weights"
            )
        if learner.crops != "none" and not learner.store_images:
            raise ValueError(
                f"learner.store_images: false, but learner.profile: {learner.profile} with "
                f"learner.augmentation: {learner.crops} crops stored pictures; use "
                "learner.store_images: true, learner.augmentation: none or learner.feature_copies: 1"
            )

    def _check_stick_frame(self) -> None:
        """A stick in camera axes needs to know how that camera is turned."""
        name, frame = self.operator.camera, self.operator.frame
        if frame != "camera":
            if name is not None:
                raise ValueError(
                    f"operator.camera: '{name}' goes with operator.frame: camera, which is '{frame}'; "
                    "leave it out or set frame: camera"
                )
            return
        cameras = {camera.name: camera for camera in self.cameras}
        if name not in cameras:
            raise ValueError(
                f"operator.camera: {name} must be one of the cameras {list(cameras)}; frame: camera needs it"
            )
        if cameras[name].mount is None:
            raise ValueError(
                f"camera '{name}': mount is missing, but operator.frame: camera steers along its axes; "
                "example: mount: {frame: tcp, rpy_rad: [0, -1.5708, 0]}"
            )
        if len(self.arms) > 1:
            raise ValueError("operator.frame: camera steers one arm; with several arms use base or tcp")

    def _check_who_pays(self) -> None:
        """The simulated person presses no success button while it demonstrates or corrects."""
        if self.reward.source == "human" and self.operator.kind == "scripted":
            raise ValueError(
                "reward.source: human needs a person, but operator.kind is scripted; "
                "use operator.kind: person, or reward.source: both"
            )

    def _check_start_class(self) -> None:
        """It is read off the classifier's judgement of step 0."""
        if self.observation.start_class and self.reward.flip_between is None:
            raise ValueError(
                "observation.start_class: true needs reward.flip_between, the two classes that an episode "
                "may begin as; example: flip_between: [side_a, side_b]"
            )

    def _check_events(self) -> None:
        """Events are made by the simulator, and only fingers that close on things can be pulled apart."""
        kinds = self.evaluation.events
        if kinds and self.scene is None:
            raise ValueError(
                f"evaluation.events: {list(kinds)} need a simulated scene; on a robot a person disturbs it: "
                "leave them out"
            )
        if "gripper_opened" in kinds and not any(arm.gripper.learned for arm in self.arms):
            raise ValueError(
                "evaluation.events: gripper_opened needs an arm with gripper: {mode: learned}; with fixed "
                "fingers use e.g. events: [board_shifts]"
            )

    @property
    def action_layout(self) -> ActionLayout:
        """Which action value means what."""
        return ActionLayout.of((len(arm.action.axes), arm.gripper.learned) for arm in self.arms)

    @property
    def action_dim(self) -> int:
        """Number of action values, all arms together."""
        return self.action_layout.size

    @property
    def reward_cameras(self) -> tuple[str, ...]:
        """Cameras of the reward classifier: the named ones, or all."""
        return self.reward.cameras or tuple(camera.name for camera in self.cameras)

    @property
    def trunk_file(self) -> str | None:
        """File of pretrained trunk weights, or None for seeded random ones."""
        weights = self.learner.trunk_weights
        return None if weights == "random" else weights

    @property
    def cycles_per_step(self) -> int:
        """Controller cycles in one policy period."""
        return round(self.period_s * self.arms[0].controller.rate_hz)

    def shared_config(self) -> dict[str, Any]:
        """What actor and learner must agree on: spaces, cameras, scales and profile; plain JSON values."""
        shared = self.model_dump(
            mode="json", include={"name", "period_s", "arms", "cameras", "observation", "learner", "episode"}
        )
        # A path may differ from machine to machine; the weights themselves are part of the perception's id.
        shared["learner"]["trunk_weights"] = None
        for key in LEARNER_ONLY:
            del shared["learner"][key]
        for camera in shared["cameras"]:
            for key in DEVICE_ONLY:
                del camera[key]
        for arm in shared["arms"]:
            if arm["gripper"]["mode"] == "fixed":  # means nothing there
                del arm["gripper"]["pause_s"], arm["gripper"]["penalty"]
            _drop_other_actions(arm)
            if not self.observation.joint_state:
                del arm["joints"]
        for camera in shared["cameras"]:
            del camera["mount"]  # only for the person's stick
        if not self.observation.joint_state:
            del shared["observation"]["joint_state"]
        if not self.observation.start_class:
            del shared["observation"]["start_class"]
        return shared

    def config_hash(self) -> str:
        """Short hash of `shared_config`."""
        return hashlib.sha256(json.dumps(self.shared_config(), sort_keys=True).encode()).hexdigest()[:16]


def _drop_other_actions(arm: dict[str, Any]) -> None:
    """Takes out what means nothing for the arm's kind of action."""
    other = "twist" if arm["action"]["type"] == "wrench" else "wrench"
    for key in ACTION_KEYS[other]:
        del arm["action"][key]
    if other == "wrench":
        del arm["controller"]["wrench"]
    if arm["controller"]["workspace"]["orientation"] is None:
        del arm["controller"]["workspace"]["orientation"]


def _require_unique(what: str, names: list[str]) -> None:
    """Raises ValueError when a name occurs twice."""
    if len(set(names)) != len(names):
        raise ValueError(f"{what}: names must differ, got {names}")
