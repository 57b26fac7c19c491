# SPDX-License-Identifier: Apache-2.0
"""What a task file may change: target subset, n-step returns, learning-rate schedule; bad values."""

import pytest
import torch
from batches import random_batch

from hilserl_learning.errors import LearningError
from hilserl_learning.profiles import LearnerConfig, profile, with_values
from hilserl_learning.sac import RLPDAgent
from hilserl_learning.schedule import learning_rate

SMALL = {"state_dim": 18, "action_dim": 6, "feature_dim": 0, "hidden": (16, 16), "batch_size": 4}


def config(**values) -> LearnerConfig:
    return profile("default", **SMALL | values)


def test_target_is_the_minimum_of_a_random_subset_of_members():
    agent = RLPDAgent(config(ensemble_size=5, subset_size=2))
    members = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    agent.target_critic.forward = lambda encoded, action: members[:, None].expand(5, len(encoded))
    batch = random_batch(agent.cfg)._replace(reward=torch.zeros(4), terminated=torch.zeros(4))
    targets = torch.stack([agent.critic_target(batch)[0] for _ in range(2000)])
    assert (targets == targets[:, :1]).all()  # one subset for the whole batch
    minima = (targets[:, 0] / agent.cfg.discount).round()
    # Pairs without repetition out of five: 4, 3, 2, 1 of the 10 have the minimum 1, 2, 3, 4.
    shares = torch.stack([(minima == value).float().mean() for value in (1, 2, 3, 4, 5)])
    torch.testing.assert_close(shares, torch.tensor([0.4, 0.3, 0.2, 0.1, 0.0]), atol=0.05, rtol=0)


def test_without_a_subset_the_target_is_the_minimum_of_all():
    agent = RLPDAgent(config(ensemble_size=5))
    agent.target_critic.forward = lambda encoded, action: torch.arange(5.0)[:, None].expand(5, len(encoded))
    batch = random_batch(agent.cfg)._replace(reward=torch.ones(4))
    assert torch.equal(agent.critic_target(batch)[0], torch.ones(4))


def test_critic_and_grasp_target_use_the_discount_of_the_batch():
    agent = RLPDAgent(config(grasp_columns=(5,)))
    agent.target_critic.forward = lambda encoded, action: torch.ones(2, len(encoded))
    agent.target_grasp_critic.forward = lambda encoded: torch.ones(len(encoded), 3)
    batch = random_batch(agent.cfg)._replace(reward=torch.zeros(4), terminated=torch.tensor([0.0, 0, 0, 1]))
    several = batch._replace(discount=torch.tensor([0.9, 0.81, 0.729, 0.9]))
    for target in (lambda b: agent.critic_target(b)[0], agent.grasp_target):
        torch.testing.assert_close(target(several), torch.tensor([0.9, 0.81, 0.729, 0.0]))
        torch.testing.assert_close(target(batch), torch.tensor([0.97, 0.97, 0.97, 0.0]))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", {0: 1e-3, 699: 1e-3, 700: 1e-3, 5000: 1e-3}),
        ("step", {0: 1e-3, 699: 1e-3, 700: 1e-4, 5000: 1e-4}),
        ("linear", {0: 1e-3, 700: 1e-3, 850: 5.5e-4, 1000: 1e-4, 5000: 1e-4}),
    ],
)
def test_learning_rate_over_training(schedule, expected):
    cfg = config(
        learning_rate=1e-3,
        learning_rate_schedule=schedule,
        learning_rate_final=1e-4,
        schedule_steps=1000,
    )
    assert {step: pytest.approx(learning_rate(cfg, step)) for step in expected} == expected


def test_updates_follow_the_schedule_and_go_on_after_a_restart(tmp_path):
    """Jenga's decay: a tenth of the learning rate in the last 30 % of training."""
    cfg = config(
        learning_rate_schedule="step", learning_rate_final=3e-5, schedule_steps=10, grasp_columns=(5,)
    )
    agent = RLPDAgent(cfg)
    rates = []
    for step in range(10):
        if step == 8:
            torch.save(agent.state_dict(), tmp_path / "agent.pt")
            agent = RLPDAgent(cfg, seed=9)
            agent.load_state_dict(torch.load(tmp_path / "agent.pt", weights_only=True))
        before = agent.raw_temperature.detach().clone()
        agent.step(random_batch(cfg, step), with_actor=True)
        rates.append({optimizer.param_groups[0]["lr"] for optimizer in agent.optimizers.values()})
        assert agent.raw_temperature != before
    assert rates == [{3e-4}] * 7 + [{3e-5}] * 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"subset_size": 3}, r"subset_size: 3, must be 1 to ensemble_size = 2, e\.g\. subset_size=2"),
        ({"n_step": 0}, "n_step: 0, must be at least 1"),
        (
            {"learning_rate_schedule": "cosine"},
            "learning_rate_schedule 'cosine' is unknown; use one of constant",
        ),
        ({"learning_rate_schedule": "linear"}, "schedule_steps: None, must be the gradient steps .*40000"),
        ({"learning_rate_final": 0.0}, "learning_rate_final: 0.0, must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate: nan, must be positive"),
        ({"decay_at": 1.0}, r"decay_at: 1.0, must be a share of the training in \[0, 1\)"),
        ({"target_entropy": float("inf")}, "target_entropy: inf, must be finite"),
        ({"temperature_init": float("nan")}, "temperature_init: nan, must be positive"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(LearningError, match=message):
        config(**values)


def test_default_is_original_but_for_what_is_repaired():
    original, default = (profile(name, **SMALL) for name in ("original", "default"))
    repaired = {
        "name": "default",
        "shared_final_layer": False,
        "grasp_final_norm": True,
        "step_skipped_losses": False,
        "bootstrap_truncated": True,
        "entropy_counts_grippers": False,
        "augmentation": "cached",
        "feature_copies": 2,
    }
    assert with_values(original, **repaired) == default
    assert original.stored_copies == 1
    assert profile("default", state_dim=18, action_dim=6).stored_copies == 2
