# SPDX-License-Identifier: Apache-2.0
"""Demonstrations of the original (rail-berkeley/hil-serl, examples/record_demos.py) to bags.

A file is a list of dicts observations, actions, next_observations, rewards, masks, dones and, mostly, infos.
Observations hold `state` and a picture a camera, each with a leading axis of one (ChunkingWrapper). The state
is the proprioception flattened in alphabetical order (SERLObsWrapper: gymnasium sorts the keys of a Dict).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hilserl_recorder import restricted_pickle
from hilserl_recorder.folders import all_or_none
from hilserl_recorder.imported import HUMAN, ImportedEpisode, poses_from_states, write_imported
from hilserl_recorder.original_frames import OriginalFrames
from hilserl_recorder.progress import track
from hilserl_ros.bags import BagError
from hilserl_ros.names import SOURCES
from hilserl_task import Task

_KEYS = ("observations", "actions", "next_observations", "rewards", "masks", "dones")
# Entries of the original's proprioception that this project's state is made of, in alphabetical order.
_SIZES = {"gripper_pose": 1, "tcp_force": 3, "tcp_pose": 6, "tcp_torque": 3, "tcp_vel": 6}
_STATE_SIZE = sum(_SIZES.values())

POLICY = SOURCES.index("policy")

Transition = dict[str, Any]


def import_pickle(path: Path, out: Path, task: Task, cameras: dict[str, str]) -> list[Path]:
    """Writes a bag for every episode of a pickle.

    Args:
        task: with one arm.
        cameras: name of a camera in the pickle, by name in the task, where they differ.

    Raises:
        BagError: refused, damaged, or not fitting the task; `out` is as before then.
    """
    if len(task.arms) != 1:
        raise BagError(f"pickle {path}: is of one arm, task '{task.name}' has {len(task.arms)}")
    if task.arms[0].action.type != "twist":
        raise BagError(
            f"pickle {path}: only twist actions can be imported, task '{task.name}' has action.type: wrench; "
            "record its demonstrations anew"
        )
    names = [cameras.get(camera.name, camera.name) for camera in task.cameras]
    transitions = _checked(restricted_pickle.load(path), path, names)
    episodes = _split(transitions, path)
    with all_or_none() as made:
        for number, episode in enumerate(track(episodes, "importing", len(episodes))):
            origin = f"pickle {path.name}, episode {number}"
            frames = OriginalFrames.of(episode)
            about = {"import_notes": frames.note + "; actions clipped to -1..1"}
            made.append(write_imported(out, task, _converted(episode, frames, task, names), origin, about))
    return made


def _checked(content: Any, path: Path, cameras: Sequence[str]) -> list[Transition]:
    """Raises BagError unless it is what record_demos.py writes."""
    if not isinstance(content, list) or not content:
        raise BagError(f"pickle {path}: {type(content).__name__}, must be a list of transitions")
    for number, transition in enumerate(content):
        keys = transition.keys() if isinstance(transition, dict) else ()
        missing = [key for key in _KEYS if key not in keys]
        if missing:
            raise BagError(f"pickle {path}: transition {number} lacks {', '.join(missing)}")
        for side in ("observations", "next_observations"):
            _check_observation(transition[side], f"pickle {path}: transition {number}, {side}", cameras)
    return content


def _check_observation(observation: Any, where: str, cameras: Sequence[str]) -> None:
    if not isinstance(observation, dict):
        raise BagError(f"{where}: {type(observation).__name__}, must be a dict of arrays")
    lost = [name for name in ("state", *cameras) if name not in observation]
    if lost:
        raise BagError(
            f"{where}: has {', '.join(observation)}, lacks {', '.join(lost)}; example: --camera wrist_1=side"
        )
    size = np.size(observation["state"])
    if size != _STATE_SIZE:
        raise BagError(f"{where}: {size} state values, must be {_STATE_SIZE}: {', '.join(_SIZES)}")
    for name in cameras:
        picture = np.asarray(observation[name])
        if picture.dtype != np.uint8 or picture.shape[-1:] != (3,) or picture.ndim not in (3, 4):
            raise BagError(f"{where}: {name} is {picture.shape} {picture.dtype}, must be (1, H, W, 3) uint8")


def _split(transitions: list[Transition], path: Path) -> list[list[Transition]]:
    """Episodes end where `dones` says so."""
    episodes: list[list[Transition]] = [[]]
    for transition in transitions:
        episodes[-1].append(transition)
        if bool(transition["dones"]):
            episodes.append([])
    if episodes[-1]:
        raise BagError(f"pickle {path}: the last {len(episodes[-1])} transitions have no end (dones)")
    return episodes[:-1]


def _converted(
    episode: list[Transition], frames: OriginalFrames, task: Task, cameras: Sequence[str]
) -> ImportedEpisode:
    observations = [episode[0]["observations"], *(t["next_observations"] for t in episode)]
    parts = [_proprioception(observation["state"]) for observation in observations]
    states = np.array([_state(part, frames, step) for step, part in enumerate(parts)], np.float32)
    rewards = np.array([float(t["rewards"]) > 0 for t in episode], np.float32)
    actions = [frames.action(np.ravel(t["actions"])[: task.action_dim], k) for k, t in enumerate(episode)]
    success = bool(rewards[-1])
    return ImportedEpisode(
        states=states,
        images=np.stack([_pictures(o, cameras, task) for o in observations]),
        actions=np.clip(np.array(actions, np.float32), -1, 1),
        sources=np.array([_source(t) for t in episode], np.uint8),
        rewards=rewards,
        poses=poses_from_states(task, states) if frames.poses is None else frames.poses,
        outcome="success" if success else "failure",
        reason="reward" if success else "timeout",
        summary={},
    )


def _source(transition: Transition) -> int:
    """Without a word about it, it was a person: record_demos.py knows no policy."""
    infos = transition.get("infos")
    return HUMAN if not isinstance(infos, dict) or "intervene_action" in infos else POLICY


def _proprioception(state: Any) -> dict[str, NDArray[np.float64]]:
    """The flattened state by its names."""
    values, start = np.ravel(state).astype(float), 0
    parts = {}
    for name, size in _SIZES.items():
        parts[name] = values[start : start + size]
        start += size
    return parts


def _state(part: dict[str, NDArray[np.float64]], frames: OriginalFrames, step: int) -> NDArray[np.float64]:
    """hilserl_task.spaces: pose relative to the start, twist and wrench in tcp axes.

    The original gives the relative pose with Euler angles (Quat2EulerWrapper, extrinsic xyz).
    """
    rotvec = Rotation.from_euler("xyz", part["tcp_pose"][3:]).as_rotvec()
    twist = frames.twist(part["tcp_vel"], step)
    return np.concatenate([part["tcp_pose"][:3], rotvec, twist, part["tcp_force"], part["tcp_torque"]])


def _pictures(observation: dict[str, Any], cameras: Sequence[str], task: Task) -> NDArray[np.uint8]:
    """[cameras, size, size, 3]; of stacked frames the newest."""
    size = task.observation.image_size
    pictures = []
    for name in cameras:
        picture = np.asarray(observation[name])
        picture = picture[-1] if picture.ndim == 4 else picture
        if picture.shape[:2] != (size, size):
            picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        pictures.append(picture)
    return np.stack(pictures)
