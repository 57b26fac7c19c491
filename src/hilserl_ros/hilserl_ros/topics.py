# SPDX-License-Identifier: Apache-2.0
"""Every topic, service and action name. Relative, so that a whole graph can be put into a namespace."""

from __future__ import annotations

OBSERVATION = "observation"
POLICY_ACTION = "policy/action"
EXECUTED_ACTION = "executed_action"
REWARD = "reward"
EPISODE = "episode"
INTERVENTION_STATE = "intervention_state"

# The stock spacenav driver's names, so that it drops in.
JOY = "spacenav/joy"
TWIST = "spacenav/twist_stamped"

POLICY = "learner/policy"
LEARNER_STATUS = "learner/status"
VALUE_ESTIMATE = "learner/value_estimate"
POLICY_INSIGHT = "policy/insight"
COACH = "coach/advice"
RECORDER_STATUS = "recorder/status"
CHAIN_STATUS = "chain/status"
SIM_GROUND_TRUTH = "sim/ground_truth"
DIAGNOSTICS = "/diagnostics"  # global by ROS convention

# Services and actions.
BEGIN_EPISODE = "begin_episode"
INSERT_TRANSITIONS = "learner/insert_transitions"
LEARNER_SAVE = "learner/save"
RESET = "reset"
RUN_CHAIN = "chain/run"
SET_ENABLED = "~/set_enabled"
SET_INTERVENTION = "~/set_intervention"
OPERATOR_EVENT = "~/operator_event"  # of the mux
CORRECT_EPISODE = "correct_episode"
RELOAD_CLASSIFIER = "~/reload"  # of the reward node
UNDO_LABEL = "~/undo"  # of collect_labels
LABEL_CLASS = "collect_labels/label_as"  # services, `<this>/<class>`
EVALUATE = "~/evaluate"  # of the actor
PAUSE = "~/pause"  # of the actor


def arm_topic(arm: str, name: str) -> str:
    """Topic of an arm: one arm lives in the namespace of its name."""
    return f"{arm}/{name}"


def joy(arm: str | None = None) -> str:
    """Joy of the device that moves `arm` alone, or of the one device for all."""
    return arm_topic(arm, JOY) if arm else JOY


def twist(arm: str | None = None) -> str:
    """TwistStamped of the device that moves `arm` alone, or of the one device for all."""
    return arm_topic(arm, TWIST) if arm else TWIST


def controller_target(arm: str) -> str:
    """CartesianTarget: the pose, twist and wrench the controller shall track."""
    return arm_topic(arm, "cartesian_controller/target")


def controller_state(arm: str) -> str:
    """CartesianControllerState: what the arm measures and what the law does."""
    return arm_topic(arm, "cartesian_controller/controller_state")


def gripper_command(arm: str) -> str:
    """GripperCommand to the gripper of an arm."""
    return arm_topic(arm, "gripper/command")


def gripper_state(arm: str) -> str:
    """JointState of the gripper of an arm; position 0 closed .. 1 open."""
    return arm_topic(arm, "gripper/state")


def camera_image(arm: str, camera: str) -> str:
    """Raw pictures of a camera (realsense2_camera's name; the same as CameraSpec.topic)."""
    return arm_topic(arm, f"{camera}/color/image_raw")


def skill_reward(skill: str) -> str:
    """Reward of one skill of a chain: each has a classifier of its own."""
    return f"{skill}/{REWARD}"


def of_learner(namespace: str, name: str) -> str:
    """A name of the learner's, for an actor that may live in another namespace.

    Args:
        namespace: of the learner, e.g. `/`; empty: that of the node.
        name: LEARNER_SAVE, POLICY, ...
    """
    return f"{namespace.rstrip('/')}/{name}" if namespace else name
