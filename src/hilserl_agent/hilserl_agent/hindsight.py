# SPDX-License-Identifier: Apache-2.0
"""Pose labels that the robot gives itself: where its hands were when something was achieved.

With a fixed gripper an episode's goal is the tcp pose at its successful frames (it includes how the object
was grasped). With a learned gripper it is the pose at which the gripper closed for the grasp that led to
success, and from then on the pose at which it opened again or at which the task was done. Nothing but the
robot's own proprioception, the commands to its grippers and the success marks is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hilserl_agent.heads import Head
from hilserl_agent.marked_episodes import MarkedEpisode
from hilserl_learning.pose_targets import pose_labels

# A gripper that closed without the hand moving farther than this carried nothing away: the thing it missed
# still lies where the frames before saw it.
CARRIED_M = 0.005
# Fingers take this long to close; until then the object may still move in the hand.
SETTLE_S = 0.4


@dataclass(frozen=True)
class LabelledFrames:
    """Training data of a read-out.

    Attributes:
        heads: [H] those that have labels.
        images: uint8 (N, cameras, H, W, 3).
        targets: float32 (N, H, 6), goal_T_tcp as position [m] and rotation vector [rad]; NaN: no label.
        groups: int64 (N,), episode of each frame: frames of one episode never sit on both sides of a split.
    """

    heads: tuple[Head, ...]
    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    groups: NDArray[np.int64]


def mean_pose(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of (N, 4, 4) poses: mean position, mean rotation (chordal).

    Raises:
        ValueError: no pose.
    """
    if len(poses) == 0:
        raise ValueError("mean_pose: needs at least one pose")
    mean = np.eye(4)
    mean[:3, :3] = Rotation.from_matrix(poses[:, :3, :3]).mean().as_matrix()
    mean[:3, 3] = poses[:, :3, 3].mean(axis=0)
    return mean


def label_episode(
    episode: MarkedEpisode, heads: Sequence[Head], period_s: float
) -> NDArray[np.float32] | None:
    """goal_T_tcp of every frame and head, float32 (N, H, 6), NaN: none; None where there is no label at all.

    Args:
        period_s: control period of the task.
    """
    if not episode.success.any():
        return None
    labels = np.full((len(episode.success), len(heads), 6), np.nan, np.float32)
    settle = round(SETTLE_S / period_s)
    for number, head in enumerate(heads):
        base_T_tcp = episode.base_T_tcp[:, head.arm]
        if head.gripper_open is None:
            base_T_goal = mean_pose(base_T_tcp[episode.success])
            labels[:, number] = pose_labels(base_T_tcp, base_T_goal)
        elif episode.gripper_open is not None:
            found = _gripper_goal(episode, head, settle)
            if found is not None and len(found.frames):
                goal = base_T_tcp[found.goal]
                labels[found.frames, number] = pose_labels(base_T_tcp[found.frames], goal)
    return None if np.isnan(labels).all() else labels


def label_frames(episodes: Sequence[MarkedEpisode], heads: Sequence[Head], period_s: float) -> LabelledFrames:
    """All frames of the episodes that succeed, with their hindsight labels. Without heads all frames of all.

    Raises:
        ValueError: no episode succeeds, or one of the heads that are needed has no frame; says which.
    """
    if heads and not any(episode.success.any() for episode in episodes):
        raise ValueError(
            f"none of the {len(episodes)} episodes has a successful frame, so no goal pose is known; "
            "collect labels or demonstrations that reach the goal"
        )
    images, targets, groups = [], [], []
    for number, episode in enumerate(episodes):
        labels = label_episode(episode, heads, period_s) if heads else _no_labels(episode)
        if labels is not None:
            images.append(episode.images)
            targets.append(labels)
            groups.append(np.full(len(labels), number))
    known = [any(not np.isnan(labels[:, number]).all() for labels in targets) for number in range(len(heads))]
    for head, is_known in zip(heads, known, strict=True):
        if head.needed and not is_known:
            raise ValueError(_nothing_for(head, episodes))
    return LabelledFrames(
        tuple(head for head, is_known in zip(heads, known, strict=True) if is_known),
        np.concatenate(images),
        np.concatenate(targets)[:, known],
        np.concatenate(groups),
    )


def _no_labels(episode: MarkedEpisode) -> NDArray[np.float32]:
    return np.empty((len(episode.images), 0, 6), np.float32)


@dataclass(frozen=True)
class _Goal:
    """Frame whose pose is the goal, and the frames that lead up to it."""

    goal: int
    frames: NDArray[np.int64]


def _gripper_goal(episode: MarkedEpisode, head: Head, settle: int) -> _Goal | None:
    """Goal of an arm with a learned gripper before or after the grasp that led to success; None: no such."""
    assert episode.gripper_open is not None
    done = int(np.argmax(episode.success))
    first, end = _without_gap(episode, done)
    is_open = episode.gripper_open[:, head.arm]
    position = episode.base_T_tcp[:, head.arm, :3, 3]
    # Frame k is a change when the action that answered it changed the state that was commanded.
    closings = [k for k in range(first, done) if is_open[k] and not is_open[k + 1]]
    if head.gripper_open:
        if not closings:
            return None
        return _Goal(closings[-1], _open_before(closings[-1], first, is_open, position))
    if closings:
        grasped = closings[-1] + 1
    elif not is_open[first]:
        grasped, settle = first, 0  # it began closed
    else:
        return None
    released = next((k for k in range(grasped, end) if is_open[k]), end)
    return _Goal(min(released - 1, done), np.arange(min(grasped + settle, released), released))


def _without_gap(episode: MarkedEpisode, done: int) -> tuple[int, int]:
    """First frame and end of the unbroken row of frames around one: what happened in a gap is not known."""
    steps = np.arange(len(episode.success)) if episode.steps is None else episode.steps
    gaps = np.flatnonzero(np.diff(steps) != 1) + 1
    before, after = gaps[gaps <= done], gaps[gaps > done]
    return int(before[-1]) if len(before) else 0, int(after[0]) if len(after) else len(steps)


def _open_before(
    closing: int, first: int, is_open: NDArray[np.bool_], position: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Frames with the gripper open that saw the object where it was when the gripper closed for good.

    A grasp that failed is no goal, but what came before it counts as well, unless it carried the object away.
    """
    frames: list[int] = []
    closed: list[int] = []
    for k in range(closing, first - 1, -1):
        if not is_open[k]:
            closed.append(k)
            continue
        if closed and np.linalg.norm(position[closed] - position[k], axis=1).max() > CARRIED_M:
            break
        closed = []
        frames.append(k)
    return np.array(frames[::-1], np.int64)


def _nothing_for(head: Head, episodes: Sequence[MarkedEpisode]) -> str:
    """Why a head has no frame, and what to do."""
    succeeded = [episode for episode in episodes if episode.success.any()]
    silent = sum(episode.gripper_open is None for episode in succeeded)
    arm = head.name.split("/")[0]
    does = "closes" if head.gripper_open else "closes and later opens or reaches the goal"
    text = (
        f"read-out '{head.name}': no frame has a label for it. Of {len(episodes)} episodes {len(succeeded)} "
        f"succeed, and in none of them the gripper of arm '{arm}' {does}"
    )
    if silent:
        text += f" ({silent} do not tell their gripper commands)"
    return (
        f"{text}; record demonstrations that grasp and succeed (phase demos), or set the gripper of an arm "
        "that never grasps to gripper.mode: fixed"
    )
