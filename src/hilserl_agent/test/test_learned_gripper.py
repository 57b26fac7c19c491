# SPDX-License-Identifier: Apache-2.0
"""A task with a learned gripper, from executed actions and bags to a policy that commands it."""

import numpy as np
import pytest
import torch

from hilserl_agent.config import learner_config
from hilserl_agent.demonstrations import load_demonstrations
from hilserl_agent.episode_book import HUMAN, EpisodeBook, Executed, Frame, Rules
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.messages import transition_message
from hilserl_agent.sender import Sender
from hilserl_learning.actor_policy import ActorPolicy
from hilserl_learning.replay import ReplayBuffer
from hilserl_msgs.msg import Action, EpisodeSummary, Reward
from hilserl_ros.bags import EpisodeBagWriter
from hilserl_ros.codec import floats32
from hilserl_task import TaskError
from hilserl_task.gripper import GripperPenalty

LEARNED = ("arms.0.gripper.mode=learned", "arms.0.gripper.position=1", "learner.policy_images=false")
COMMANDS = [0.0, -1.0, 0.0, -1.0, 1.0, 0.2]  # starts open: closes, stays closed, opens
PENALTIES = [0.0, -0.02, 0.0, 0.0, -0.02, 0.0]


def action(step):
    values = np.full(7, 0.05 * step, np.float32)
    values[6] = COMMANDS[step]
    return values


def frame(step):
    return Frame(
        step, np.full(19, 0.1 * step, np.float32), np.zeros((2, 32, 32, 3), np.uint8), np.zeros(0, np.float32)
    )


def played(task):
    """Transitions of one episode, as an actor sends them."""
    book = EpisodeBook(Rules(len(COMMANDS)), GripperPenalty(task))
    closed = book.add_frame(frame(0))
    for step in range(len(COMMANDS)):
        closed += book.add_executed(step, Executed(action(step), HUMAN if step == 1 else 0))
        closed += book.add_frame(frame(step + 1)) + book.add_reward(step + 1, False)
    messages = [transition_message(step, 0, task.learner.store_images) for step in closed]
    for number, message in enumerate(messages, start=1):
        message.sequence = number
    return messages


def by_command(buffer):
    """Penalties that are stored with each gripper command and first action value."""
    batch = buffer.sample(400)
    rows = zip(batch.action[:, 0].tolist(), batch.grasp_penalty.tolist(), strict=True)
    return {round(first / 0.05): pytest.approx(penalty, abs=1e-6) for first, penalty in rows}


def test_the_penalty_reaches_the_learner_and_its_policy_commands_the_gripper(kit, tmp_path):
    task = kit.small_task(*LEARNED, "learner.demonstrations=false")
    core = LearnerCore(task, tmp_path, 0)
    assert core.insert(Sender("robot", "session", "outbox"), played(task)) == len(COMMANDS)
    assert by_command(core.online) == dict(enumerate(PENALTIES))
    before = torch.cat([p.detach().flatten().clone() for p in core.agent.grasp_critic.parameters()])
    core.cycle()
    after = torch.cat([p.detach().flatten() for p in core.agent.grasp_critic.parameters()])
    assert not torch.equal(before, after), "the grasp critic learns"
    policy = ActorPolicy.from_safetensors(core.agent.policy_safetensors())
    for seed in range(5):
        chosen = policy.act(None, np.random.default_rng(seed).normal(size=19))
        assert chosen.shape == (7,)
        assert chosen[6] in (-1.0, 0.0, 1.0)


def test_demonstrations_bring_the_same_penalties(kit, tmp_path):
    task = kit.small_task(*LEARNED, "learner.store_images=false", "learner.demonstration_count=1")
    with EpisodeBagWriter(tmp_path / "demos" / "episode_0000", task) as bag:
        last = len(COMMANDS)
        for step in range(last + 1):
            seen = kit.observation(0, step)
            seen.state = floats32(frame(step).state)
            bag.write("observation", seen, 10**9 + step)
            bag.write("reward", Reward(step=step, success=step == last), 10**9 + step)
            if step < last:
                executed = Action(step=step, source=HUMAN, values=floats32(action(step)))
                bag.write("executed_action", executed, 10**9 + step)
        reason = EpisodeSummary.TERMINATION_REWARD
        summary = EpisodeSummary(
            steps=last, outcome=EpisodeSummary.OUTCOME_SUCCESS, termination_reason=reason
        )
        bag.write("episode", summary, 10**9 + last)
    buffer = ReplayBuffer(50, 19, 0, 7)
    assert load_demonstrations(task, tmp_path, None, buffer, with_features=False) == last
    assert by_command(buffer) == dict(enumerate(PENALTIES))


def test_sizes_and_scales_follow_the_grippers(kit):
    config = learner_config(kit.small_task(*LEARNED), None)
    assert (config.state_dim, config.action_dim, config.grasp_columns, config.policy_dim) == (19, 7, (6,), 6)
    fixed = learner_config(kit.small_task(LEARNED[-1]), None)
    assert config.state_scale == (*fixed.state_scale, 1.0)
    assert fixed.grasp_columns == ()
    original = learner_config(
        kit.small_task(*LEARNED, "learner.profile=original", "learner.trunk_weights=random"), None
    )
    assert (original.state_scale, original.entropy_target) == (None, -3.5)


def test_three_learned_grippers_are_refused(kit, tmp_path):
    task = kit.small_task(*LEARNED)
    arms = tuple(task.arms[0].model_copy(update={"name": name}) for name in ("left", "right", "third"))
    with pytest.raises(TaskError, match=r"grasp_columns.*one or two"):
        learner_config(task.model_copy(update={"arms": arms}), None)
