# SPDX-License-Identifier: Apache-2.0
"""Learned grippers beyond the reference numbers: options, limits, learning, acting, resuming."""

import numpy as np
import pytest
import torch
from batches import random_batch

from hilserl_learning.actor_policy import ActorPolicy
from hilserl_learning.errors import LearningError
from hilserl_learning.grasp_critic import encode_grasp
from hilserl_learning.profiles import LearnerConfig, profile, with_values
from hilserl_learning.sac import RLPDAgent

DUAL = {"state_dim": 18, "action_dim": 14, "feature_dim": 8, "hidden": (32, 32), "batch_size": 16}


def dual(**values) -> LearnerConfig:
    return profile("fast", **DUAL | {"grasp_columns": (6, 13)} | values)


def test_policy_and_critic_do_not_see_the_grippers():
    cfg = dual()
    assert (cfg.policy_dim, cfg.grasp_actions) == (12, 9)
    agent = RLPDAgent(cfg)
    batch = random_batch(cfg)
    encoded = agent.encoder(batch.features, batch.state)
    assert agent.policy(encoded)[0].shape == (16, 12)
    other = batch.action.clone()
    other[:, [6, 13]] = -other[:, [6, 13]].sign()
    target = torch.zeros(16)
    values = agent.critic_loss(batch, target)[1]
    assert torch.equal(values, agent.critic_loss(batch._replace(action=other), target)[1])
    other[:, 5] += 1.0
    assert not torch.equal(values, agent.critic_loss(batch._replace(action=other), target)[1])


@pytest.mark.parametrize("columns", [(14,), (-1,), (13, 6), (6, 6), (1, 2, 3)])
def test_impossible_gripper_columns_are_refused(columns):
    with pytest.raises(LearningError, match=r"grasp_columns: .*rising columns of the 14.*\(6,\)"):
        dual(grasp_columns=columns)
    with pytest.raises(LearningError, match="not all of them"):
        profile("fast", **DUAL | {"action_dim": 1, "grasp_columns": (0,)})


@pytest.mark.parametrize(("name", "normed"), [("original", False), ("default", True), ("fast", True)])
def test_last_hidden_layer_is_normed_unless_original(name, normed):
    critic = RLPDAgent(profile(name, **DUAL | {"feature_dim": 0, "grasp_columns": (6, 13)})).grasp_critic
    encoded = torch.randn(4, critic.layers[0].weight.shape[1], generator=torch.Generator().manual_seed(0))
    assert len(critic.layers) == (2 if normed else 1)
    last = critic.layers[-1] if normed else critic.last_hidden
    with torch.no_grad():
        before = critic(encoded)
        last.weight.mul_(10.0)
        after = critic(encoded)
    # Behind a LayerNorm only the direction of the weights counts.
    assert torch.allclose(before, after, atol=1e-4) == normed


def test_commands_beyond_the_range_count_as_its_ends():
    assert encode_grasp(torch.tensor([[-1.7], [1.7], [0.4]])).tolist() == [0, 2, 1]


@pytest.mark.parametrize(("name", "count"), [("original", 14), ("default", 12), ("fast", 12)])
def test_target_entropy_counts_grippers_only_in_original(name, count):
    sizes = DUAL | {"feature_dim": 0, "grasp_columns": (6, 13)}
    assert profile(name, **sizes).entropy_target == -count / 2
    assert profile(name, **sizes, target_entropy=-1.0).entropy_target == -1.0


def test_penalty_is_in_the_grasp_target_only_and_the_upper_bound_holds():
    cfg = dual(batch_size=2)
    agent = RLPDAgent(cfg)
    plain = random_batch(cfg)._replace(reward=torch.tensor([0.0, 1.0]), terminated=torch.ones(2))
    batch = plain._replace(grasp_penalty=torch.tensor([-0.02, 0.5]))
    assert torch.equal(agent.critic_target(batch)[0], torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(agent.grasp_target(batch), torch.tensor([-0.02, 1.0]))
    assert torch.equal(agent.grasp_target(plain), torch.tensor([0.0, 1.0]))


def test_critic_only_steps_update_the_grasp_critic_too():
    agent = RLPDAgent(dual())
    before = [p.clone() for p in agent.grasp_critic.parameters()]
    policy = [p.clone() for p in agent.policy.parameters()]
    metrics = agent.step(random_batch(agent.cfg), with_actor=False)
    assert all((a != b).any() for a, b in zip(before, agent.grasp_critic.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(policy, agent.policy.parameters(), strict=True))
    assert {"grasp_critic_loss", "grasp_q"} <= metrics.keys()


def test_actor_gets_the_grasp_critic_and_acts_the_same():
    agent = RLPDAgent(dual(), seed=1)
    agent.update([random_batch(agent.cfg)] * 2)
    actor = ActorPolicy.from_safetensors(agent.policy_safetensors())
    grasps = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        state, features = rng.normal(size=18).astype(np.float32), rng.normal(size=8).astype(np.float32)
        ours = actor.act(features, state, deterministic=True)
        np.testing.assert_array_equal(ours, agent.act(state, features, deterministic=True))
        sampled = actor.act(features, state, generator=torch.Generator().manual_seed(seed))
        assert ours.shape == (14,)
        assert np.abs(sampled - ours)[[6, 13]].max() == 0.0  # greedy, also while exploring
        assert np.abs(sampled - ours).max() > 0.0
        grasps.add((ours[6], ours[13]))
    assert grasps <= {(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)}
    assert not any(key.startswith(("critic", "target")) for key in agent.policy_state_dict())


def test_policy_without_its_grasp_critic_is_refused():
    agent = RLPDAgent(dual())
    weights = {k: v for k, v in agent.policy_state_dict().items() if "grasp" not in k}
    with pytest.raises(LearningError, match="grasp_critic"):
        ActorPolicy(agent.cfg, weights)


def test_resume_goes_on_exactly(tmp_path):
    cfg = dual(ensemble_size=4, subset_size=2)
    batches = [random_batch(cfg, i) for i in range(4)]
    straight, first = RLPDAgent(cfg, seed=5), RLPDAgent(cfg, seed=5)
    straight.update(batches[:2])
    first.update(batches[:2])
    torch.save(first.state_dict(), tmp_path / "agent.pt")
    resumed = RLPDAgent(cfg, seed=99)
    resumed.load_state_dict(torch.load(tmp_path / "agent.pt", weights_only=True))
    for agent in (straight, resumed):
        agent.update(batches[2:])
    for name in ("grasp_critic", "target_grasp_critic", "critic"):
        mine, theirs = (getattr(agent, name).state_dict() for agent in (straight, resumed))
        assert all(torch.equal(mine[key], theirs[key]) for key in mine), name
    with pytest.raises(LearningError, match="grasp_final_norm: True -> False"):
        RLPDAgent(with_values(cfg, grasp_final_norm=False)).load_state_dict(straight.state_dict())


@pytest.mark.parametrize("normed", [True, False])
def test_learns_when_to_close_and_open(normed):
    """Two grippers; the reward of a step is that both did what the sign of one state entry asks for."""
    cfg = dual(feature_dim=0, batch_size=64, discount=0.01, grasp_final_norm=normed)
    agent = RLPDAgent(cfg, seed=0)
    generator = torch.Generator().manual_seed(0)

    def batch():
        state = torch.randn(64, 18, generator=generator) * 0.05
        action = torch.rand(64, 14, generator=generator) * 2 - 1
        wanted = torch.stack([state[:, 0].sign(), -state[:, 0].sign()], -1)
        right = (action[:, [6, 13]].round() == wanted).all(-1).float()
        full = random_batch(cfg)._replace(state=state, action=action, reward=right)
        return full._replace(terminated=torch.ones(64), truncated=torch.zeros(64))

    def share_right() -> float:
        states = np.random.default_rng(1).normal(size=(40, 18)) * 0.05
        chosen = np.stack([agent.act(state, None)[[6, 13]] for state in states])
        return float(np.mean((chosen == np.sign(states[:, :1]) * [[1.0, -1.0]]).all(1)))

    before = share_right()
    for _ in range(300):
        agent.step(batch(), with_actor=False)
    assert before <= 0.6
    assert share_right() >= 0.9
