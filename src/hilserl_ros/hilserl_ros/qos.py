# SPDX-License-Identifier: Apache-2.0
"""QoS profiles, one name a topic, so that no publisher and subscriber ever disagree."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy


def _reliable(depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def _best_effort(depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)


def _latched(depth: int) -> QoSProfile:
    return QoSProfile(
        depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
    )


# Latched wherever a step waits for a message: nodes find each other at different times, and one lost
# message would stop a lockstep graph for ever. Whoever comes late gets the newest and refuses it by its
# (episode, step) or stamp if it is out of date. A subscriber that wants no past asks for volatile.

# Only the newest command counts: a queue of old ones would be executed late.
COMMAND = _latched(1)
POLICY_ACTION = COMMAND
CONTROLLER_TARGET = COMMAND
# From other ROS tools (`ros2 topic pub`): a latched subscriber would not match their volatile publishers.
FOREIGN_COMMAND = _reliable(1)
# The grasp is commanded once; a gripper that starts later shall still get it.
GRIPPER_COMMAND = _latched(1)

OBSERVATION = _latched(5)
EXECUTED_ACTION = _latched(10)
REWARD = _latched(10)
# A dropped release of a button would be a stuck one.
TELEOP = _reliable(10)
SIM_GROUND_TRUTH = _latched(10)
STATUS = _reliable(10)
INSIGHT = _best_effort(10)  # for people to look at; nobody waits for it
DIAGNOSTICS = _reliable(10)

# Latched: who comes late still learns the newest.
EPISODE = _latched(10)
INTERVENTION_STATE = _latched(1)
CHAIN_STATUS = _latched(50)  # whoever counts the ends of chains shall miss none
COACH = _latched(1)
# One policy is a few chunks of 1 MB; a subscriber that comes late needs all of them.
POLICY = _latched(32)

# The recorder may lag behind while it writes; it must not lose a step.
RECORDER = _latched(500)


def sensor(pacing: str) -> QoSProfile:
    """Profile of pictures, controller and gripper states.

    Realtime: best effort, as drivers publish. Lockstep: reliable and latched, because one lost picture
    would stop the graph for ever. A best-effort subscriber may listen to either.

    Args:
        pacing: `task.pacing`.
    """
    return _latched(10) if pacing == "lockstep" else _best_effort(5)
