# SPDX-License-Identifier: Apache-2.0
"""Cuts steps off either end of an episode; what is left is an episode by the rules of a recorded one."""

from __future__ import annotations

import copy
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hilserl_msgs.msg import Action, EpisodeSummary
from hilserl_recorder.folders import task_of
from hilserl_recorder.provenance import now, software
from hilserl_recorder.trash import throw_away
from hilserl_ros import codec
from hilserl_ros.bags import Bag, BagError, BagMessage, EpisodeBagWriter, read_bag
from hilserl_ros.episode_data import ACTION, EPISODE, OBSERVATION, REWARD
from hilserl_ros.names import OUTCOMES
from hilserl_task import Task
from hilserl_task.frames import inverse, position_and_rotvec
from hilserl_task.spaces import STATE_NAMES, state_names

_START_NAMES = STATE_NAMES[:6]  # pose relative to the start of the episode


def trim(bag: Path, first: int, last: int, outcome: str | None = None, out: Path | None = None) -> Path:
    """Keeps frames first..last of a bag, so last - first actions.

    Args:
        first, last: steps of observations, as on the contact sheet.
        outcome: of what is left; needed where a success would lose its end.
        out: new bag; without it the original goes into the trash and the new one takes its place.

    Returns:
        the trimmed bag.

    Raises:
        BagError: unreadable, steps that cannot be, or an outcome that nobody knows.
    """
    recorded = read_bag(bag)
    steps = recorded.episode().steps
    if not 0 <= first < last <= steps or (first, last) == (0, steps):
        raise BagError(
            f"bag {bag}: frames {first} to {last} must be fewer than all and in order within 0 to {steps}; "
            f"example: --from 1 --to {steps}"
        )
    task = task_of(recorded.metadata, bag)
    messages = _kept(recorded, task, first, last, _ending(recorded, last, outcome))
    note = f"frames {first} to {last} of {steps} steps of {bag.name}, {now()}"
    earlier = recorded.metadata.get("trimmed")
    about = {**recorded.metadata, **software(), "trimmed": f"{earlier}; {note}" if earlier else note}
    if out is not None:
        return _write(out, messages, about)
    return _replace(bag, messages, about)


def _replace(bag: Path, messages: list[BagMessage], about: dict[str, str]) -> Path:
    """The new bag is complete before the original goes."""
    workshop = bag.parent / f".partial-{os.getpid()}-trim"
    try:
        new = _write(workshop / bag.name, messages, about)
        throw_away(bag, "trimmed")
        new.rename(bag)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return bag


def _write(path: Path, messages: list[BagMessage], about: dict[str, str]) -> Path:
    with EpisodeBagWriter(path, None, about) as writer:
        for entry in messages:
            writer.write(entry.topic, entry.message, entry.stamp_ns)
    return path


def _kept(recorded: Bag, task: Task, first: int, last: int, ending: tuple[int, int]) -> list[BagMessage]:
    observations = {m.message.step: m for m in recorded.messages if m.kind == OBSERVATION}
    span = observations[first].stamp_ns, observations[last].stamp_ns
    newest = {OBSERVATION: last, ACTION: last - 1, REWARD: last}
    start = observations[first].message
    kept = []
    for entry in recorded.messages:
        if entry.kind in newest:
            if first <= entry.message.step <= newest[entry.kind]:
                kept.append(_renumbered(entry, task, first, start))
        elif entry.kind != EPISODE and span[0] <= entry.stamp_ns <= span[1]:
            kept.append(entry)
    summary = next(m for m in recorded.messages if m.kind == EPISODE)
    kept.append(
        BagMessage(summary.topic, span[1], _summary(summary.message, kept, task, last - first, ending))
    )
    return sorted(kept, key=lambda entry: entry.stamp_ns)


def _renumbered(entry: BagMessage, task: Task, first: int, start: Any) -> BagMessage:
    """The message as step 0 of the new episode would count it; poses are relative to the new start."""
    message = copy.copy(entry.message)
    if first and entry.kind == OBSERVATION:
        message = copy.deepcopy(entry.message)
        _restart(message, task, start)
    message.step = int(entry.message.step) - first
    return replace(entry, message=message)


def _restart(observation: Any, task: Task, start: Any) -> None:
    """The start pose of every arm is the one of the first kept frame (hilserl_observation.composer)."""
    names = state_names(task)
    state = np.array(observation.state, np.float32)
    for arm, arm_at_start in zip(observation.arms, start.arms, strict=True):
        base_T_start = codec.matrix_from_pose(arm_at_start.pose)
        arm.start_pose = codec.pose_from_matrix(base_T_start)
        relative = position_and_rotvec(inverse(base_T_start) @ codec.matrix_from_pose(arm.pose))
        places = [names.index(f"{arm.name}/{name}") for name in _START_NAMES]
        state[places] = relative.astype(np.float32)
    observation.state = codec.floats32(state)


def _ending(recorded: Bag, last: int, outcome: str | None) -> tuple[int, int]:
    """(outcome, termination reason) of what is left."""
    summary = next(m.message for m in recorded.messages if m.kind == EPISODE)
    if outcome is not None:
        return OUTCOMES.index(outcome), EpisodeSummary.TERMINATION_OPERATOR
    if last == summary.steps:
        return summary.outcome, summary.termination_reason
    if summary.outcome == EpisodeSummary.OUTCOME_SUCCESS:
        raise BagError(
            f"bag {recorded.path}: a success whose end is cut off needs a verdict on frame {last}; "
            "example: --outcome success"
        )
    return summary.outcome, EpisodeSummary.TERMINATION_OPERATOR


def _summary(
    old: Any, kept: list[BagMessage], task: Task, steps: int, ending: tuple[int, int]
) -> EpisodeSummary:
    """The summary with new counts. `total_steps` and `wall_s` tell how it was recorded and stay."""
    actions = {m.message.step: m.message.source for m in kept if m.kind == ACTION}
    by_person = [actions[step] == Action.SOURCE_HUMAN for step in range(steps)]
    summary = copy.deepcopy(old)
    summary.outcome, summary.termination_reason = ending
    summary.steps = steps
    summary.intervention_steps = sum(by_person)
    summary.interventions = sum(
        new and not old_one for old_one, new in zip([False, *by_person[:-1]], by_person, strict=True)
    )
    summary.duration_s = steps * task.period_s
    summary.episode_return = float(ending[0] == EpisodeSummary.OUTCOME_SUCCESS)
    return summary
