# SPDX-License-Identifier: Apache-2.0
"""Parameters of the actor node, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hilserl_agent.episode_book import Rules
from hilserl_ros.node import HilserlNode
from hilserl_task import Task, TaskError

_ACTOR_ID = re.compile(r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$")  # becomes part of a topic name in the log


@dataclass(frozen=True)
class ActorParameters:
    """What the actor is told.

    Attributes:
        phase: train, evaluate or teleop.
        counting: name under which episodes are counted: the phase, or labels.
        use_reward: steps wait for a reward.
        evaluation: resets with the events of the evaluation (board moved, ...).
        deterministic: evaluate with the policy's mode.
        episodes: stop after so many that were not discarded; 0 is never.
        first_trial: evaluate: the trials before are done already.
        actor_id: under which the learner counts, namespace included.
        learner_namespace: where the learner lives; empty: here.
        timeout_s, peer_timeout_s, policy_timeout_s: without progress, a complete graph, a policy.
        lockstep, synchronous: of the task.
        rules: what ends an episode.
    """

    phase: str
    counting: str
    use_reward: bool
    evaluation: bool
    deterministic: bool
    episodes: int
    first_trial: int
    actor_id: str
    learner_namespace: str
    timeout_s: float
    peer_timeout_s: float
    policy_timeout_s: float
    lockstep: bool
    synchronous: bool
    rules: Rules


def read_parameters(node: HilserlNode) -> ActorParameters:
    """Declares and reads them.

    Raises:
        TaskError: a value that cannot be; the text names it and an example.
    """
    declare, task = node.declare_parameter, node.task
    phase: str = declare("phase", "train").value
    use_reward: bool = declare("use_reward", True).value
    episodes: int = declare("episodes", 0).value
    first_trial: int = declare("first_trial", 0).value
    actor_id: str = declare("actor_id", "actor").value
    if phase not in ("train", "evaluate", "teleop"):
        raise TaskError(f"phase: '{phase}' must be train, evaluate or teleop; example: train")
    if episodes < 0:
        raise TaskError(f"episodes: {episodes} must not be negative; example: 50")
    if first_trial < 0:
        raise TaskError(f"first_trial: {first_trial} must not be negative; example: 0")
    if phase == "train" and not use_reward:
        raise TaskError("use_reward: false goes with phase teleop only; training needs a reward")
    if not _ACTOR_ID.match(actor_id):
        raise TaskError(
            f"actor_id: '{actor_id}' must be letters, digits and _, or several with /; example: left"
        )
    rules = episode_rules(task, demonstrating=phase == "teleop" and use_reward, use_reward=use_reward)
    disturbed = phase == "evaluate" and bool(task.evaluation.disturbances)
    return ActorParameters(
        phase=phase,
        counting="labels" if phase == "teleop" and not use_reward else phase,
        use_reward=rules.use_reward,
        evaluation=declare("evaluation", False).value or disturbed,
        deterministic=declare("deterministic", task.evaluation.deterministic).value,
        episodes=episodes or (task.evaluation.episodes if phase == "evaluate" else 0),
        first_trial=first_trial,
        actor_id=f"{node.get_namespace()}/{actor_id}".strip("/").replace("//", "/"),
        learner_namespace=declare("learner_namespace", "").value,
        timeout_s=declare("observation_timeout_s", 5.0).value,
        peer_timeout_s=declare("peer_timeout_s", 60.0).value,
        # The learner encodes all demonstrations before it publishes its first policy.
        policy_timeout_s=declare("policy_timeout_s", 300.0).value,
        lockstep=task.pacing == "lockstep",
        synchronous=phase == "train" and task.learner.updates == "synchronous",
        rules=rules,
    )


def episode_rules(task: Task, demonstrating: bool, use_reward: bool) -> Rules:
    """What ends an episode: `reward.source` says who pays, in a demonstration `demonstrations.gate` does.

    Without `use_reward` (label collection) nobody pays and the success button marks frames.
    """
    gate, source = task.demonstrations, task.reward.source
    if source == "human":  # no classifier runs
        needs_classifier, classifier_ends, button_ends = False, False, True
    elif demonstrating:
        needs_classifier, classifier_ends, button_ends = (
            gate.needs_classifier,
            gate.classifier_ends,
            gate.button_ends,
        )
    else:
        needs_classifier, classifier_ends, button_ends = True, True, source == "both"
    return Rules(
        max_steps=task.episode.max_steps,
        use_reward=use_reward and needs_classifier,
        reward_ends=classifier_ends,
        success_button=use_reward and button_ends,
    )
