# SPDX-License-Identifier: Apache-2.0
"""Nothing in an update waits for the device: no tensor's value is read by Python, no shape depends on one."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hilserl_learning.profiles import profile
from hilserl_learning.replay import Batch
from hilserl_learning.sac import RLPDAgent

# What on CUDA copies a value to the host, or needs one to know its result's shape.
WAITS = (
    "_local_scalar_dense",
    "item",
    "nonzero",
    "masked_select",
    "equal",
    "is_nonzero",
    "unique",
    "_unique2",
)


class NoWaits(TorchDispatchMode):
    """Fails on operations that would make the host wait for the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        indices = [i for i in args[1] if i is not None] if name in ("index", "index_put_") else []
        if name in WAITS or any(index.dtype == torch.bool for index in indices):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


def batch_of(cfg) -> Batch:
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    n = 16
    return Batch(
        draw(n, cfg.state_dim), draw(n, cfg.feature_dim), draw(n, cfg.action_dim) * 2 - 1, draw(n).round(),
        draw(n).round(), torch.zeros(n), draw(n, cfg.state_dim), draw(n, cfg.feature_dim),
        grasp_penalty=-0.02 * draw(n).round(), discount=torch.full((n,), 0.9),
    )  # fmt: skip


@pytest.mark.parametrize("options", [
    {"name": "default"},
    {"name": "original", "augmentation": "none"},
    {"name": "default", "grasp_columns": (6,), "action_dim": 7},
    {"name": "default", "ensemble_size": 5, "subset_size": 2},
    {"name": "default", "learning_rate_schedule": "linear", "schedule_steps": 100},
], ids=["default", "original", "gripper", "subset", "schedule"])  # fmt: skip
def test_no_operation_of_an_update_waits_for_the_device(options):
    sizes = {"trunk_width": 0.25, "trunk_stages": 1, "map_channels": 16, "map_size": 2}
    options = {"state_dim": 18, "action_dim": 6, **options}
    cfg = profile(options.pop("name"), **sizes, **options)
    agent, batch = RLPDAgent(cfg, seed=0), batch_of(cfg)
    agent.update([batch, batch])  # optimizers make their state in the first one
    with NoWaits():
        metrics = agent.update([batch, batch])
    assert all(torch.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize(
    "waiting", [lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: bool(x.any()), lambda x: x.nonzero()]
)
def test_the_check_notices_what_waits(waiting):
    with pytest.raises(AssertionError, match="waits for the device"), NoWaits():
        waiting(torch.arange(3.0))
