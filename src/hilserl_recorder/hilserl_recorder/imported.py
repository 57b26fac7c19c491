# SPDX-License-Identifier: Apache-2.0
"""Episodes from elsewhere as bags like recorded ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hilserl_msgs.msg import Action, ArmState, EpisodeSummary, Observation, Reward
from hilserl_recorder.numbering import bag_path, next_number
from hilserl_recorder.provenance import now, software
from hilserl_ros import codec, topics
from hilserl_ros.bags import BagError, EpisodeBagWriter
from hilserl_ros.names import OUTCOMES, SOURCES, TERMINATION_REASONS
from hilserl_task import Task
from hilserl_task.frames import Array, pose_matrix, pose_vector, rotate_both
from hilserl_task.spaces import STATE_NAMES, state_names

HUMAN = SOURCES.index("human")
_FIRST_STAMP_NS = codec.NS_PER_S  # stamp 0 would mean "not stamped"
_ROUNDING = 1e-3  # of an action value that should be within [-1, 1]


@dataclass(frozen=True)
class ImportedEpisode:
    """T steps in this project's terms; shapes as hilserl_ros.bags.EpisodeData.

    Attributes:
        states: [T+1, n] float32, entries as `state_names(task)`.
        images: [T+1, cameras, size, size, 3] uint8 RGB, cameras in task-file order.
        actions: [T, a] float32, in the tcp frame.
        sources: [T] who chose it, Action.SOURCE_*.
        rewards: [T] success of observation k+1.
        poses: [T+1, arms, 7] float64 base_T_tcp: position, quaternion x y z w.
        outcome, reason: words of hilserl_ros.names.
        summary: further fields of EpisodeSummary, where known.
    """

    states: NDArray[np.float32]
    images: NDArray[np.uint8]
    actions: NDArray[np.float32]
    sources: NDArray[np.uint8]
    rewards: NDArray[np.float32]
    poses: NDArray[np.float64]
    outcome: str
    reason: str
    summary: dict[str, Any]

    @property
    def steps(self) -> int:
        """Number of actions."""
        return len(self.actions)


def write_imported(
    folder: Path, task: Task, episode: ImportedEpisode, origin: str, about: dict[str, str]
) -> Path:
    """Writes an episode under the next free number.

    Args:
        origin: where it comes from, in a few words; `imported_from` of the metadata.
        about: further strings of provenance.

    Raises:
        BagError: it does not fit the task, or the disk is full.
    """
    check_episode(episode, task, origin)
    metadata = {**software(), "imported_from": origin, "imported_at": now(), **about}
    path = bag_path(folder, next_number(folder))
    with EpisodeBagWriter(path, task, metadata) as bag:
        for topic, message, stamp_ns in _messages(task, episode):
            bag.write(f"/{topic}", message, stamp_ns)
    return path


def check_episode(episode: ImportedEpisode, task: Task, origin: str) -> None:
    """Raises BagError, naming what of the episode does not fit the task and how it should be."""
    size, steps, arms = task.observation.image_size, episode.steps, len(task.arms)
    wanted = {
        "states": (episode.states.shape, (steps + 1, len(state_names(task)))),
        "pictures": (episode.images.shape, (steps + 1, len(task.cameras), size, size, 3)),
        "actions": (episode.actions.shape, (steps, task.action_dim)),
        "rewards": (episode.rewards.shape, (steps,)),
        "sources": (episode.sources.shape, (steps,)),
        "poses": (episode.poses.shape, (steps + 1, arms, 7)),
    }
    wrong = [f"{name} {has}, must be {must}" for name, (has, must) in wanted.items() if has != must]
    if steps < 1:
        wrong.append("no steps")
    for name in ("states", "actions", "rewards", "poses"):
        if not np.isfinite(getattr(episode, name)).all():
            wrong.append(f"{name} not finite")
    if not wrong and np.abs(episode.actions).max() > 1 + _ROUNDING:
        wrong.append(f"an action value of {np.abs(episode.actions).max():g}, must be within -1 to 1")
    if wrong:
        raise BagError(f"{origin}: does not fit task '{task.name}': {'; '.join(wrong)}")


def poses_from_states(task: Task, states: NDArray[np.float32]) -> NDArray[np.float64]:
    """[T+1, arms, 7] poses where only those relative to the start are known: the start is the origin."""
    names = state_names(task)
    poses = np.zeros((len(states), len(task.arms), 7))
    for number, arm in enumerate(task.arms):
        places = [names.index(f"{arm.name}/{name}") for name in STATE_NAMES[:6]]
        for step, relative in enumerate(states[:, places].astype(float)):
            poses[step, number] = pose_vector(_matrix_of_relative(relative))
    return poses


def _matrix_of_relative(relative: Array) -> Array:
    """4x4 of (6,) position, rotation vector."""
    return pose_matrix(relative[:3], Rotation.from_rotvec(relative[3:]).as_quat())


def _messages(task: Task, episode: ImportedEpisode) -> Iterator[tuple[str, Any, int]]:
    """(topic, message, stamp) as the graph would have published them."""
    period_ns = round(task.period_s * codec.NS_PER_S)
    number = int(episode.summary.get("episode", 0))
    for step in range(episode.steps + 1):
        stamp_ns = _FIRST_STAMP_NS + step * period_ns
        yield topics.OBSERVATION, _observation(task, episode, number, step, stamp_ns), stamp_ns
        said = bool(step and episode.rewards[step - 1] > 0)
        reward = Reward(
            header=codec.header(stamp_ns), episode=number, step=step, success=said,
            probability=float(said), threshold=0.5, model_id="imported",
        )  # fmt: skip
        yield topics.REWARD, reward, stamp_ns
        if step < episode.steps:
            source = int(episode.sources[step])
            action = Action(
                header=codec.header(stamp_ns), episode=number, step=step, source=source,
                arm_sources=[source] * len(task.arms), values=codec.floats32(episode.actions[step]),
            )  # fmt: skip
            yield topics.EXECUTED_ACTION, action, stamp_ns
    yield topics.EPISODE, _summary(task, episode, number, stamp_ns), stamp_ns


def _observation(task: Task, episode: ImportedEpisode, number: int, step: int, stamp_ns: int) -> Observation:
    state = dict(zip(state_names(task), episode.states[step].tolist(), strict=True))
    arms = [
        _arm_state(arm.name, state, episode.poses[step, index], episode.poses[0, index])
        for index, arm in enumerate(task.arms)
    ]
    pictures = [
        codec.image_from_array(picture, stamp_ns, camera.name)
        for camera, picture in zip(task.cameras, episode.images[step], strict=True)
    ]
    return Observation(
        header=codec.header(stamp_ns, task.arms[0].base_frame),
        episode=number,
        step=step,
        arms=arms,
        camera_names=[camera.name for camera in task.cameras],
        images=pictures,
        state=codec.floats32(episode.states[step]),
    )


def _arm_state(name: str, state: dict[str, float], pose: Array, start: Array) -> ArmState:
    values = np.array([state[f"{name}/{entry}"] for entry in STATE_NAMES])
    base_T_tcp = pose_matrix(pose[:3], pose[3:])
    message = ArmState(
        name=name,
        twist=codec.twist_from_vector(rotate_both(base_T_tcp[:3, :3], values[6:12])),
        wrench=codec.wrench_from_vector(values[12:18]),
        gripper_position=state.get(f"{name}/gripper_position", 0.0),
        joint_position=_joints(name, state, "position_rad"),
        joint_velocity=_joints(name, state, "velocity_radps"),
    )
    for target, vector in ((message.pose, pose), (message.start_pose, start)):
        target.position.x, target.position.y, target.position.z = vector[:3].tolist()
        q = target.orientation
        q.x, q.y, q.z, q.w = vector[3:].tolist()
    return message


def _joints(name: str, state: dict[str, float], quantity: str) -> list[float]:
    """Of joint 1, 2, ...; none where the state has no joints."""
    first, last = f"{name}/joint_", f"_{quantity}"
    return [value for entry, value in state.items() if entry.startswith(first) and entry.endswith(last)]


def _summary(task: Task, episode: ImportedEpisode, number: int, stamp_ns: int) -> EpisodeSummary:
    by_person = (episode.sources == HUMAN).astype(int)
    known = {
        "actor_id": "imported", "phase": "teleop", "duration_s": episode.steps * task.period_s,
        "intervention_steps": int(by_person.sum()),
        "interventions": int((np.diff(by_person, prepend=0) == 1).sum()),
        "episode_return": float(episode.rewards.sum()),
        **episode.summary,
    }  # fmt: skip
    return EpisodeSummary(
        header=codec.header(stamp_ns),
        **{
            **known,
            "episode": number,
            "steps": episode.steps,
            "outcome": OUTCOMES.index(episode.outcome),
            "termination_reason": TERMINATION_REASONS.index(episode.reason),
        },
    )
