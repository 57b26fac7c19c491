# SPDX-License-Identifier: Apache-2.0
"""Finds, reads and validates a chain file, and checks it against the tasks of its skills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from hilserl_task.chain_spec import ChainSpec, MoveSpec, SkillSpec
from hilserl_task.compare import differences
from hilserl_task.errors import TaskError
from hilserl_task.explain import explain
from hilserl_task.loader import available, find_config_file
from hilserl_task.schema import ArmSpec, Task

EXAMPLE = "config/chains/ram_pair.yaml"
# All skills act through one mux, one observation node and one controller, which know one task.
SHARED = {"period_s", "arms", "cameras", "observation"}
# What 1.0 of an action means may differ: the graph runs with the largest of each, actions are scaled to it.
SCALES = ("translation_scale_m", "rotation_scale_rad")


def available_chains() -> list[str]:
    """Names of all chains that `load_chain` finds, sorted."""
    return available("chain")


def find_chain_file(name_or_path: str) -> Path:
    """Path of a chain given by name (`ram_pair`) or path (`my/chain.yaml`).

    Raises:
        TaskError: there is none; the text lists the known names.
    """
    return find_config_file("chain", name_or_path, EXAMPLE)


def load_chain(name_or_path: str) -> ChainSpec:
    """Reads and validates a chain file by itself; `check_chain` checks it against its tasks.

    Raises:
        TaskError: names the key, the value, the rule and an example.
    """
    path = find_chain_file(name_or_path)
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise TaskError(f"chain file {path}: not readable as YAML: {error}") from error
    if not isinstance(data, dict):
        raise TaskError(f"chain file {path}: must be a mapping with a key 'name'; example: see {EXAMPLE}")
    try:
        return ChainSpec.model_validate(data)
    except ValidationError as error:
        raise TaskError(explain(f"chain file {path}", error, ChainSpec, EXAMPLE)) from error


def check_chain(chain: ChainSpec, tasks: Sequence[Task]) -> None:
    """Checks that the skills fit each other and the motions fit the arms.

    Args:
        tasks: of the skills, in their order, as their runs were trained with.

    Raises:
        TaskError: names the skill, the first key that differs or is wrong, and the rule.
    """
    for skill, task in zip(chain.skills, tasks, strict=True):
        if task.name != skill.task:
            raise TaskError(
                f"chain {chain.name}: skill '{skill.name}': its run is of task '{task.name}', not of "
                f"'{skill.task}'; give another run, or task: {task.name}"
            )
        if task.observation.start_class:
            raise TaskError(
                f"chain {chain.name}: skill '{skill.name}': its run has observation.start_class: true, but "
                "the graph of a chain has a classifier for every skill, and none to tell it; train it without"
            )
        _check_shared(chain, tasks[0], skill, task)
        _check_motions(chain, skill, task)


def graph_task(chain: ChainSpec, tasks: Sequence[Task], pacing: str | None = None) -> Task:
    """The task that mux, observation node and simulation run with, for all skills: the first one's, with the
    largest action scales and time limit of all.

    `action_ratio` scales a skill's actions to it.

    Args:
        pacing: instead of the tasks' own.

    Raises:
        TaskError: the tasks cannot run with it.
    """
    data = tasks[0].model_dump(mode="json")
    data["name"], data["description"] = chain.name, chain.description
    data["episode"]["max_steps"] = max(task.episode.max_steps for task in tasks)
    for number, arm in enumerate(data["arms"]):
        for key in SCALES:
            arm["action"][key] = max(getattr(task.arms[number].action, key) for task in tasks)
    if data["scene"] is not None:
        data["scene"]["parameters"].update(chain.scene_parameters)
    data["pacing"] = pacing or data["pacing"]
    try:
        return Task.model_validate(data)
    except ValidationError as error:
        raise TaskError(explain(f"chain {chain.name}", error, Task)) from error


def action_ratio(task: Task, graph: Task) -> np.ndarray:
    """(a,) what an action of `task` is multiplied with to mean the same in `graph`; grippers keep theirs."""
    ratio = np.ones(task.action_dim)
    for place, mine, all_ in zip(task.action_layout.arms, task.arms, graph.arms, strict=True):
        ratio[place.motion] = np.divide(mine.action.scales, all_.action.scales)
    return ratio


def _check_shared(chain: ChainSpec, first: Task, skill: SkillSpec, task: Task) -> None:
    mine, theirs = _shared(first), _shared(task)
    if found := differences(mine, theirs):
        raise TaskError(
            f"chain {chain.name}: skill '{skill.name}' does not fit '{chain.skills[0].name}': {found[0]} "
            f"(here: task {first.name}, there: task {task.name}); all skills of a chain share arms, cameras, "
            "rates and controller, only action scales may differ"
        )


def _shared(task: Task) -> dict[str, Any]:
    """What has to be the same."""
    shared = task.model_dump(mode="json", include=SHARED)
    for arm in shared["arms"]:
        for key in SCALES:
            del arm["action"][key]
    shared["scene"] = {"name": task.scene.name} if task.scene is not None else "none: a robot"
    return shared


def _check_motions(chain: ChainSpec, skill: SkillSpec, task: Task) -> None:
    arms = {arm.name: arm for arm in task.arms}
    for key, motions in skill.motions.items():
        for number, motion in enumerate(motions):
            where = f"chain {chain.name}: skill '{skill.name}': {key}.{number}"
            if motion.arm is not None and motion.arm not in arms:
                raise TaskError(f"{where}: arm '{motion.arm}' is not one of the arms {list(arms)}")
            if motion.move is not None:
                _check_move(where, motion.move, arms[motion.move.arm])


def _check_move(where: str, move: MoveSpec, arm: ArmSpec) -> None:
    """Wherever it may be drawn, the goal is in the workspace; and the controller lets the arm go so fast."""
    controller, box = arm.controller, arm.controller.workspace
    limits = (("max_linear_speed", "m/s"), ("max_angular_speed", "rad/s"))
    for key, unit in limits:
        value, limit = getattr(move, key), getattr(controller, key)
        if value > limit:
            raise TaskError(
                f"{where}.move.{key}: {value:g} {unit} is above controller.{key} of arm '{arm.name}', "
                f"{limit:g}; example: {key}: {limit / 2:g}"
            )
    if move.to is None:
        return
    middle, half = np.array(move.to.position_m), np.array(move.translation_range_m)
    if (middle - half < box.minimum_m).any() or (middle + half > box.maximum_m).any():
        raise TaskError(
            f"{where}.move.to.position_m: {list(move.to.position_m)} (with translation_range_m "
            f"{list(move.translation_range_m)}) is not inside controller.workspace of arm '{arm.name}', "
            f"{list(box.minimum_m)} to {list(box.maximum_m)}"
        )
