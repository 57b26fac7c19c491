# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from batches import random_batch
from torch.utils._python_dispatch import TorchDispatchMode

from hilserl_learning import distributions
from hilserl_learning.actor_policy import ActorPolicy
from hilserl_learning.errors import LearningError
from hilserl_learning.profiles import LearnerConfig, profile, with_values
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sac import RLPDAgent, metrics_to_floats
from hilserl_learning.sampling import RLPDSampler

SMALL = {"state_dim": 18, "action_dim": 6, "feature_dim": 8, "hidden": (32, 32), "batch_size": 16}


def test_unknown_profile_and_key_list_the_good_ones():
    with pytest.raises(LearningError, match="original, default, fast"):
        profile("quick", state_dim=1, action_dim=1)
    with pytest.raises(LearningError, match=r"learner key 'gama' is unknown.*discount"):
        profile("fast", gama=0.9, **SMALL)
    with pytest.raises(LearningError, match=r"discount: 1.5, must be in \(0, 1\)"):
        profile("fast", discount=1.5, **SMALL)
    with pytest.raises(LearningError, match="state_dim is missing"):
        profile("fast", action_dim=6)
    with pytest.raises(LearningError, match="state_scale"):
        profile("fast", state_dim=7, action_dim=6, feature_dim=0)
    with pytest.raises(LearningError, match="state_dim: 19 is not 18 per arm"):
        profile("fast", state_dim=19, action_dim=6, feature_dim=0)
    with pytest.raises(LearningError, match="feature_dim: 5"):
        profile("original", state_dim=19, action_dim=6, feature_dim=5)


def test_config_survives_json():
    cfg = profile("fast", **SMALL)
    assert LearnerConfig.from_json(cfg.to_json()) == cfg


def test_log_prob_equals_the_library_one():
    mean, std, noise = (torch.randn(50, 3, dtype=torch.float64) for _ in range(3))
    std = std.exp()
    action, log_prob = distributions.sample_with_log_prob(mean, std, noise)
    reference = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(mean, std), torch.distributions.TanhTransform(cache_size=1)
    )
    pre = torch.atanh(action)
    inside = (pre.abs() < 5).all(-1)  # atanh loses the digits beyond
    torch.testing.assert_close(
        log_prob[inside], reference.log_prob(action).sum(-1)[inside], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("fast", {}, [0.97, 0.0]),
        ("default", {}, [0.97, 0.0]),
        ("original", {}, [0.0, 0.0]),
        ("default", {"bootstrap_truncated": False}, [0.0, 0.0]),
    ],
)
def test_time_limit_is_bootstrapped_unless_original(name, options, expected):
    cfg = profile(name, **SMALL | {"batch_size": 2, "feature_dim": 0}, **options)
    agent = RLPDAgent(cfg)
    agent.target_critic.forward = lambda encoded, action: torch.ones(2, len(encoded))
    batch = random_batch(cfg)._replace(
        reward=torch.zeros(2), terminated=torch.tensor([0.0, 1.0]), truncated=torch.tensor([1.0, 0.0])
    )
    torch.testing.assert_close(agent.critic_target(batch)[0], torch.tensor(expected))


@pytest.mark.parametrize(("name", "expected"), [("fast", [0.0, 1.0]), ("original", [-2.91, 3.91])])
def test_target_is_clipped_to_the_possible_returns_unless_original(name, expected):
    cfg = profile(name, **SMALL | {"batch_size": 2, "feature_dim": 0})
    agent = RLPDAgent(cfg)
    agent.target_critic.forward = lambda encoded, action: torch.tensor([[-3.0, 3.0]] * 2)
    batch = random_batch(cfg)._replace(
        reward=torch.tensor([0.0, 1.0]), terminated=torch.zeros(2), truncated=torch.zeros(2)
    )
    torch.testing.assert_close(agent.critic_target(batch)[0], torch.tensor(expected))


def test_same_seed_same_updates_and_resume_goes_on_exactly(tmp_path):
    cfg = profile("fast", **SMALL)
    batches = [random_batch(cfg, i) for i in range(12)]
    straight, first = RLPDAgent(cfg, seed=5), RLPDAgent(cfg, seed=5)
    for i in range(0, 12, 2):
        straight.update(batches[i : i + 2])
    for i in range(0, 6, 2):
        first.update(batches[i : i + 2])
    torch.save(first.state_dict(), tmp_path / "agent.pt")
    resumed = RLPDAgent(cfg, seed=99)
    resumed.load_state_dict(torch.load(tmp_path / "agent.pt", weights_only=True))
    for i in range(6, 12, 2):
        resumed.update(batches[i : i + 2])
    assert resumed.gradient_steps == straight.gradient_steps == 12
    assert torch.equal(resumed.raw_temperature, straight.raw_temperature)
    for name, module in straight._modules().items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, resumed._modules()[name].state_dict()[key]), (name, key)


def test_checkpoint_of_another_config_says_what_differs():
    cfg = profile("fast", **SMALL)
    other = RLPDAgent(with_values(cfg, discount=0.9))
    with pytest.raises(LearningError, match=r"discount: 0.97 -> 0.9"):
        other.load_state_dict(RLPDAgent(cfg).state_dict())


def test_policy_blob_holds_the_policy_only_and_acts_the_same():
    agent = RLPDAgent(profile("fast", **SMALL), seed=1)
    agent.update([random_batch(agent.cfg)] * 2)
    assert not any("critic" in key for key in agent.policy_state_dict())
    actor = ActorPolicy.from_safetensors(agent.policy_safetensors())
    assert actor.gradient_steps == 2
    state, features = np.ones(18, np.float32) * 0.01, np.ones(8, np.float32)
    ours = actor.act(features, state, deterministic=True)
    np.testing.assert_array_equal(ours, agent.act(state, features, deterministic=True))
    assert ours.dtype == np.float32
    assert np.abs(ours).max() < 1
    sampled = [actor.act(features, state, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    np.testing.assert_array_equal(sampled[0], sampled[1])
    assert np.abs(sampled[0] - sampled[2]).max() > 0


def test_damaged_policy_and_bad_inputs_are_refused():
    blob = RLPDAgent(profile("fast", **SMALL)).policy_safetensors()
    for damaged in (blob[:-10], blob[100:], b""):
        with pytest.raises(LearningError, match="policy"):
            ActorPolicy.from_safetensors(damaged)
    actor = ActorPolicy.from_safetensors(blob)
    with pytest.raises(LearningError, match="features: shape"):
        actor.act(np.zeros(9), np.zeros(18))
    with pytest.raises(LearningError, match="state: entry 3 is not finite"):
        actor.act(np.zeros(8), np.where(np.arange(18) == 3, np.nan, 0.0))


def test_policy_without_pictures():
    agent = RLPDAgent(profile("fast", **SMALL | {"feature_dim": 0}))
    agent.update([random_batch(agent.cfg)] * 2)
    actor = ActorPolicy.from_safetensors(agent.policy_safetensors())
    np.testing.assert_array_equal(actor.act(None, np.zeros(18), True), agent.act(np.zeros(18), None, True))


def test_original_profile_updates_with_dropout_on_small_maps():
    cfg = profile(
        "original", state_dim=18, action_dim=6, trunk_width=0.125, batch_size=8, augmentation="none"
    )
    agent = RLPDAgent(cfg)
    metrics = metrics_to_floats(agent.update([random_batch(cfg)] * 2))
    assert all(np.isfinite(value) for value in metrics.values())
    with pytest.raises(LearningError, match="perception"):
        RLPDAgent(with_values(cfg, augmentation="crop"))


class NoSync(TorchDispatchMode):
    """Fails on whatever would wait for the device: reading a scalar, or copying to the host."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "options", [{}, {"grasp_columns": (5,), "ensemble_size": 4, "subset_size": 2}], ids=["plain", "grasp"]
)
def test_update_never_waits_for_the_device(options):
    cfg = profile("fast", **SMALL, **options)
    agent = RLPDAgent(cfg)
    batch = random_batch(cfg)
    with NoSync():
        metrics = agent.update([batch] * 2)
    assert all(value.dim() == 0 for value in metrics.values())


@pytest.mark.parametrize(("name", "heads"), [("fast", 2), ("default", 2), ("original", 1)])
def test_critic_heads_are_the_members_own_unless_original(name, heads):
    agent = RLPDAgent(profile(name, **SMALL | {"feature_dim": 0}))
    assert agent.critic.weight.shape == (heads, 32, 1)
    # Own heads tell the members apart even where their hidden layers agree.
    hidden = torch.ones(2, 1, 32)
    values = torch.matmul(hidden, agent.critic.weight).squeeze()
    assert (values[0] == values[-1]) == (heads == 1)


def point_rollout(act, rng, limit: int = 25) -> tuple[list, bool]:
    """Sparse reward in a tight slot: xy within 4 mm while z goes down; actions move 1 cm per step."""
    position = rng.uniform(-0.03, 0.03, 3)
    position[2] = 0.04
    steps = []
    for _ in range(limit):
        state = np.zeros(18)
        state[:3] = position
        action = act(state)
        position = position + 0.01 * action[:3]
        success = bool(np.hypot(*position[:2]) < 0.004 and position[2] < 0.0)
        if not success:
            position[2] = max(position[2], 0.0)
        after = np.zeros(18)
        after[:3] = position
        steps.append((state, action, success, after))
        if success:
            break
    return steps, success


def store(buffer: ReplayBuffer, steps: list, episode: int, first: int) -> int:
    for k, (state, action, success, after) in enumerate(steps):
        last = k == len(steps) - 1
        end = {"next_state": after} if last else {}
        buffer.add_step(
            "a", first + k, episode, k, state, None, action, success, success, last and not success, **end
        )
    return first + len(steps)


def test_learns_from_sparse_reward_with_demonstrations():
    cfg = profile("fast", state_dim=18, action_dim=6, feature_dim=0, hidden=(64, 64), batch_size=128)
    agent = RLPDAgent(cfg, seed=0)
    rng = np.random.default_rng(0)
    online, demo = (ReplayBuffer(5000, 18, 0, 6) for _ in range(2))

    def operator(state):
        action = np.zeros(6)
        action[:3] = np.clip(-state[:3] / 0.01 + rng.normal(0, 0.1, 3), -1, 1)
        action[2] = -1.0 if np.hypot(*state[:2]) < 0.004 else action[2] * 0.3
        return action.astype(np.float32)

    sequence = 0
    for episode in range(20):
        sequence = store(demo, point_rollout(operator, rng)[0], episode, sequence)
    sampler = RLPDSampler(online, demo, cfg.batch_size, torch.Generator().manual_seed(0))
    sequence = 0
    for episode in range(60):
        steps, _ = point_rollout(lambda s: agent.act(s, None), rng)
        sequence = store(online, steps, episode, sequence)
        for _ in steps:
            agent.update(sampler)
    evaluated = [point_rollout(lambda s: agent.act(s, None, deterministic=True), rng)[1] for _ in range(30)]
    untrained = RLPDAgent(cfg, seed=1)
    before = [point_rollout(lambda s: untrained.act(s, None, deterministic=True), rng)[1] for _ in range(30)]
    assert np.mean(evaluated) >= 0.8, np.mean(evaluated)
    assert np.mean(before) <= 0.1
