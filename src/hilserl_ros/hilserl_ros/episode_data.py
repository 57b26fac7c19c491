# SPDX-License-Identifier: Apache-2.0
"""One recorded episode as arrays, made of the messages of its bag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilserl_ros.bag_storage import BagError
from hilserl_ros.names import OUTCOMES, TERMINATION_REASONS
from hilserl_task import Task
from hilserl_task.frames import Array, pose_matrix

OBSERVATION, ACTION, REWARD, EPISODE = "observation", "executed_action", "reward", "episode"
# Gates where a person's button ends the episode: what the classifier says meanwhile is no reward.
GATED_BY_PERSON = ("person", "both")


@dataclass(frozen=True)
class EpisodeData:
    """One recorded episode of T steps; frame k is Observation k, action k answers it.

    Attributes:
        states: [T+1, n] float32 proprioception.
        images: [T+1, cameras, height, width, 3] uint8 RGB.
        actions: [T, a] float32, executed, tcp frame.
        sources: [T] uint8, Action.SOURCE_*: who chose the action.
        rewards: [T] float32: success of observation k+1.
        arms_base_T_tcp: [T+1, arms, 4, 4], each in the base frame of its arm.
        terminated: the task was done. truncated: cut off by time, fault or a person; that says nothing about
            the value of the last state, so bootstrapping goes on there.
        outcome: success, failure or unlabelled.
        discarded: the operator asked to forget this episode.
        metadata: strings written with the bag, `summary` (numbers of EpisodeSummary) and `cameras`.
    """

    states: NDArray[np.float32]
    images: NDArray[np.uint8]
    actions: NDArray[np.float32]
    sources: NDArray[np.uint8]
    rewards: NDArray[np.float32]
    arms_base_T_tcp: Array
    terminated: bool
    truncated: bool
    outcome: str
    discarded: bool
    metadata: dict[str, Any]

    @property
    def base_T_tcp(self) -> Array:
        """[T+1, 4, 4] of the first arm."""
        return self.arms_base_T_tcp[:, 0]

    @property
    def steps(self) -> int:
        """Number of actions."""
        return len(self.actions)


def missing_parts(
    steps: int, observations: Iterable[int], actions: Iterable[int], rewards: Iterable[int] | None
) -> str:
    """Which steps an episode lacks, as text; empty when it is whole.

    An episode of `steps` actions has observations 0..steps, actions 0..steps-1, rewards 1..steps; `rewards`
    is None where none are needed (a person alone says what success is).
    """
    wanted = {
        OBSERVATION: set(range(steps + 1)) - set(observations),
        ACTION: set(range(steps)) - set(actions),
        REWARD: set() if rewards is None else set(range(1, steps + 1)) - set(rewards),
    }
    return "; ".join(f"{name} of steps {sorted(lost)}" for name, lost in wanted.items() if lost)


def episode_data(path: Path, parts: Mapping[str, Mapping[int, Any]], custom: dict[str, str]) -> EpisodeData:
    """The episode of a bag.

    Args:
        path: of the bag, for error texts.
        parts: messages by kind (OBSERVATION, ACTION, REWARD, EPISODE) and step; the summary is step 0.
        custom: strings written with the bag.

    Raises:
        BagError: no summary, a gap, or a picture that cannot be.
    """
    if not parts[EPISODE]:
        raise BagError(
            f"bag {path}: has no message on topic 'episode', so its length and outcome are unknown"
        )
    summary = parts[EPISODE][0]
    steps = int(summary.steps)
    by_person = custom.get("gate") in GATED_BY_PERSON
    missing = missing_parts(steps, parts[OBSERVATION], parts[ACTION], None if by_person else parts[REWARD])
    if missing:
        raise BagError(f"bag {path}: incomplete, lacks {missing}")
    observations = [parts[OBSERVATION][k] for k in range(steps + 1)]
    actions = [parts[ACTION][k] for k in range(steps)]
    outcome = OUTCOMES[summary.outcome]
    reason = TERMINATION_REASONS[summary.termination_reason]
    if by_person:
        rewards = np.zeros(steps, np.float32)
    else:
        rewards = np.array([parts[REWARD][k + 1].success for k in range(steps)], np.float32)
    if reason == "operator" and outcome == "success" and steps:
        rewards[-1] = 1.0  # the person's verdict stands above the classifier's
    return EpisodeData(
        states=np.stack([np.asarray(o.state, np.float32) for o in observations]),
        images=np.stack([_pictures(path, o) for o in observations]),
        actions=np.array([a.values for a in actions], np.float32).reshape(steps, -1),
        sources=np.array([a.source for a in actions], np.uint8),
        rewards=rewards,
        arms_base_T_tcp=np.stack([[_matrix(arm.pose) for arm in o.arms] for o in observations]),
        terminated=outcome == "success",
        truncated=outcome != "success",
        outcome=outcome,
        discarded=bool(summary.discarded),
        metadata={**custom, "path": str(path), "cameras": list(observations[0].camera_names),
                  "summary": _summary(summary, outcome, reason)},
    )  # fmt: skip


def check_fits(episode: EpisodeData, task: Task) -> None:
    """Refuses an episode that a policy of this task cannot learn from: other cameras, pictures or actions.

    Raises:
        BagError: names the bag and every difference.
    """
    size = task.observation.image_size
    pairs = {
        "cameras": (episode.metadata["cameras"], [camera.name for camera in task.cameras]),
        "pictures": (episode.images.shape[1:], (len(task.cameras), size, size, 3)),
        "action values": (episode.actions.shape[1:], (task.action_dim,)),
    }
    wrong = [f"{name} {has}, must be {must}" for name, (has, must) in pairs.items() if has != must]
    if wrong:
        raise BagError(
            f"bag {episode.metadata['path']}: does not fit task '{task.name}': {'; '.join(wrong)}; "
            "example: record it again with this task"
        )


def _pictures(path: Path, observation: Any) -> NDArray[np.uint8]:
    """[cameras, height, width, 3] of one observation."""
    pictures = []
    for name, image in zip(observation.camera_names, observation.images, strict=True):
        data = np.asarray(image.data, np.uint8)
        if image.encoding != "rgb8" or data.size != image.height * image.width * 3:
            raise BagError(
                f"bag {path}: camera '{name}', step {observation.step}: {image.width}x{image.height} "
                f"'{image.encoding}' with {data.size} bytes, must be rgb8 without padding"
            )
        pictures.append(data.reshape(image.height, image.width, 3))
    return np.stack(pictures)


def _matrix(pose: Any) -> Array:
    p, q = pose.position, pose.orientation
    return pose_matrix([p.x, p.y, p.z], [q.x, q.y, q.z, q.w])


def _summary(summary: Any, outcome: str, reason: str) -> dict[str, Any]:
    """Plain values of EpisodeSummary."""
    names = (
        "actor_id", "phase", "episode", "steps", "intervention_steps", "interventions", "duration_s",
        "wall_s", "episode_return", "policy_version", "total_steps", "discarded",
    )  # fmt: skip
    values = {name: getattr(summary, name) for name in names}
    return {**values, "outcome": outcome, "termination_reason": reason}
