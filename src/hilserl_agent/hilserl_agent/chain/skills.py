# SPDX-License-Identifier: Apache-2.0
"""The skills of a chain, ready to act: task, policy, perception, and what ends an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from hilserl_agent.actor_parameters import episode_rules
from hilserl_agent.actor_policy import LearnedPolicy, Policy, evaluated_policy
from hilserl_agent.config import load_perception
from hilserl_agent.episode_book import Rules
from hilserl_agent.observations import ObservationReader
from hilserl_agent.policy_codec import PolicyRejected
from hilserl_task import Task, TaskError, load_task
from hilserl_task.chain_loader import action_ratio, check_chain
from hilserl_task.chain_spec import ChainSpec, SkillSpec

TASK_FILE = "task.yaml"  # in a run folder: the task as it was trained with


@dataclass(frozen=True)
class Skill:
    """One skill.

    Attributes:
        spec: of the chain file.
        task: as its run was trained with.
        policy, reader: choose actions, read observations.
        rules: what ends an attempt.
        ratio: (a,) from its actions to those of the graph's task.
    """

    spec: SkillSpec
    task: Task
    policy: Policy
    reader: ObservationReader
    rules: Rules
    ratio: NDArray


def load_skills(chain: ChainSpec, graph: Task) -> list[Skill]:
    """Loads policy and perception of every skill.

    Args:
        graph: the task that the other nodes run with.

    Raises:
        TaskError: a run that is not there, does not fit or has no policy; names the skill.
    """
    tasks = [_task_of(skill) for skill in chain.skills]
    check_chain(chain, tasks)
    return [_load(skill, task, graph) for skill, task in zip(chain.skills, tasks, strict=True)]


def _task_of(skill: SkillSpec) -> Task:
    if skill.run is None:
        raise TaskError(f"skill '{skill.name}': run: missing; example: run: runs/{skill.task}")
    file = Path(skill.run) / TASK_FILE
    if not file.is_file():
        raise TaskError(f"skill '{skill.name}': run: {skill.run} has no {TASK_FILE}; is it a run folder?")
    return load_task(str(file))


def _load(skill: SkillSpec, task: Task, graph: Task) -> Skill:
    run_dir = Path(str(skill.run))
    chosen = skill.deterministic
    deterministic = task.evaluation.deterministic if chosen is None else chosen
    policy = LearnedPolicy(task.config_hash(), deterministic)
    try:
        perception = load_perception(task, run_dir)
        policy.load(evaluated_policy(run_dir, skill.checkpoint))
    except (TaskError, PolicyRejected) as error:
        raise TaskError(f"skill '{skill.name}': {error}") from error
    rules = episode_rules(task, demonstrating=False, use_reward=True)
    reader = ObservationReader(task, perception.encode if perception else None)
    return Skill(skill, task, policy, reader, rules, action_ratio(task, graph))
