# SPDX-License-Identifier: Apache-2.0
"""Messages of an episode as actor, mux, reward and observation node would publish them."""

import numpy as np

from hilserl_msgs.msg import (
    Action,
    ArmState,
    CartesianControllerState,
    EpisodeSummary,
    Observation,
    Reward,
)
from hilserl_ros import codec

PERIOD_NS = 100_000_000
SIZE = 32


def stamp_of(episode, step):
    return (1 + 20 * episode) * 1_000_000_000 + step * PERIOD_NS


def observation(episode, step, stamp_ns=None):
    rng = np.random.default_rng([episode, step])
    stamp_ns = stamp_of(episode, step) if stamp_ns is None else stamp_ns
    arm = ArmState(name="arm", joint_position=[0.1 * step] * 7, joint_velocity=[0.0] * 7)
    pictures = rng.integers(0, 255, (2, SIZE, SIZE, 3), dtype=np.uint8)
    return Observation(
        header=codec.header(stamp_ns),
        episode=episode,
        step=step,
        arms=[arm],
        camera_names=["wrist_1", "wrist_2"],
        images=[codec.image_from_array(picture, stamp_ns) for picture in pictures],
        state=codec.floats32(rng.standard_normal(18)),
    )


def action(episode, step):
    values = np.random.default_rng([episode, step, 1]).uniform(-1, 1, 6)
    return Action(
        header=codec.header(stamp_of(episode, step)), episode=episode, step=step,
        source=Action.SOURCE_HUMAN, values=codec.floats32(values),
    )  # fmt: skip


def reward(episode, step, success=False):
    return Reward(header=codec.header(stamp_of(episode, step)), episode=episode, step=step, success=success)


def controller_state(episode, step, offset_ns=0):
    stamp = codec.header(stamp_of(episode, step) + offset_ns, "panda_link0")
    return CartesianControllerState(header=stamp, joint_position=[0.0] * 7)


def summary(episode, steps, outcome=EpisodeSummary.OUTCOME_SUCCESS, discarded=False):
    """Stamped by another clock on purpose."""
    reason = (
        EpisodeSummary.TERMINATION_REWARD
        if outcome == EpisodeSummary.OUTCOME_SUCCESS
        else EpisodeSummary.TERMINATION_TIMEOUT
    )
    return EpisodeSummary(
        header=codec.header(1_700_000_000_000_000_000), actor_id="actor-1", phase="teleop", episode=episode,
        outcome=outcome, termination_reason=reason, discarded=discarded, steps=steps, duration_s=0.1 * steps,
    )  # fmt: skip


def whole(episode, steps):
    """(kind, message) of a successful episode, in causal order, without its summary."""
    for step in range(steps + 1):
        yield "state", controller_state(episode, step)
        yield "observation", observation(episode, step)
        yield "reward", reward(episode, step, success=step == steps)
        if step < steps:
            yield "executed_action", action(episode, step)
