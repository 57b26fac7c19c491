# SPDX-License-Identifier: Apache-2.0
"""Two processes with half a batch each do what one does with the whole; and what happens when one dies."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from hilserl_learning.distributed import WorkerFailed, WorkerTeam
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception
from hilserl_learning.profiles import profile
from hilserl_learning.replay import Batch
from hilserl_learning.sac import RLPDAgent, metrics_to_floats

UPDATES = 6
BATCH = 8
# Dropout, ensemble subset and the grasp critic all draw or average, each in its own way.
MAPS = {"state_dim": 18, "action_dim": 7, "map_channels": 4, "map_size": 2, "batch_size": BATCH}
MAPS |= {"spatial_embeddings": 2, "bottleneck": 16, "hidden": (32, 32), "grasp_columns": (6,)}
MAPS |= {"augmentation": "none", "encoder_dropout": 0.5, "ensemble_size": 4, "subset_size": 2}
CROPS = {"state_dim": 18, "action_dim": 6, "batch_size": BATCH, "hidden": (32, 32), "map_size": 1}
CROPS |= {"map_channels": 64, "trunk_width": 0.125, "spatial_embeddings": 2, "bottleneck": 16}


class Batches:
    """Random batches, the same for the same seed; every tensor that a batch can have."""

    def __init__(self, cfg, seed=1, pictures=False):
        self.cfg, self.pictures = cfg, pictures
        self.generator = torch.Generator().manual_seed(seed)

    def sample(self):
        n, cfg = self.cfg.batch_size, self.cfg

        def normal(size):
            return torch.randn(n, size, generator=self.generator)

        def flags():
            return (torch.rand(n, generator=self.generator) < 0.3).float()

        def images():
            shape = (n, 2, 32, 32, 3)
            return torch.randint(256, shape, dtype=torch.uint8, generator=self.generator)

        features = 0 if self.pictures else cfg.feature_dim
        frames = [(normal(cfg.state_dim), normal(features)) for _ in range(2)]
        batch = Batch(*frames[0], normal(cfg.action_dim).tanh(), flags(), flags(), flags(), *frames[1])
        if self.pictures:
            batch = batch._replace(images=images(), next_images=images())
        if cfg.grasp_columns:
            batch = batch._replace(grasp_penalty=-0.02 * flags())
        return batch


def perception():
    return Perception(2, kind="maps", width=0.125, image_size=32)


def assert_same_networks(one, other):
    state = other.state_dict()["modules"]
    for name, module in one.state_dict()["modules"].items():
        for key, value in module.items():
            torch.testing.assert_close(
                value, state[name][key], rtol=1e-4, atol=1e-5, msg=lambda text, k=(name, key): f"{k}: {text}"
            )
    torch.testing.assert_close(one.raw_temperature, other.raw_temperature)


@pytest.mark.parametrize("crops", [False, True])
def test_two_ranks_do_what_one_does_with_the_joint_batch(crops):
    cfg = profile("original", **(CROPS if crops else MAPS))
    trunk = perception() if crops else None
    alone, shared = (RLPDAgent(cfg, seed=3, perception=trunk) for _ in range(2))
    first = alone.state_dict()["modules"]["policy"]["mean.weight"].clone()
    ours, theirs = (Batches(cfg, pictures=crops) for _ in range(2))
    alone.update(ours)  # the team has to take over an agent that has moved on, optimizers included
    shared.update(theirs)
    team = WorkerTeam(shared, 2, trunk)
    try:
        for _ in range(UPDATES):
            expected = metrics_to_floats(alone.update(ours))
            found = metrics_to_floats(team.update(theirs))
            for agent in (alone, shared):  # only rank 0 acts, which moves its random state on
                agent.act(torch.zeros(18).numpy(), torch.zeros(cfg.feature_dim).numpy())
        team.verify()
    finally:
        team.close()
    assert (first - alone.state_dict()["modules"]["policy"]["mean.weight"]).abs().max() > 1e-4
    assert_same_networks(alone, shared)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert torch.equal(alone.generator.get_state(), shared.generator.get_state())
    alone.update(ours)
    shared.update(theirs)  # without its team again
    assert_same_networks(alone, shared)


@pytest.fixture
def team():
    cfg = profile("fast", state_dim=18, action_dim=6, feature_dim=8, hidden=(16, 16), batch_size=BATCH)
    team = WorkerTeam(RLPDAgent(cfg), 2, timeout_s=5.0)
    yield team
    team.close()


def test_a_dead_worker_is_named(team):
    batches = Batches(team._agent.cfg)
    team.update(batches)
    os.kill(team._processes[0].pid, signal.SIGKILL)
    team._processes[0].join(20)
    with pytest.raises(WorkerFailed, match="worker 1 of 1 ended, exit code -9"):
        team.update(batches)
    with pytest.raises(WorkerFailed):
        team.check()


def test_a_worker_that_dies_in_an_update_is_named(team):
    pid = team._processes[0].pid
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(1.0, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(WorkerFailed, match="worker 1 of 1 ended, exit code -9"):
        team.update(Batches(team._agent.cfg))
    killer.join()


def test_a_hanging_worker_is_given_up_and_ended(team):
    process = team._processes[0]
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerFailed, match="imed out"):
        team.update(Batches(team._agent.cfg))
    team.close()
    assert not process.is_alive()


def test_an_error_in_a_worker_is_told_and_different_networks_are_found(team):
    with torch.no_grad():
        team._agent.raw_temperature.add_(1.0)
    with pytest.raises(WorkerFailed, match=r"\[1\].*differ"):
        team.verify()
    team.close()
    cfg = team._agent.cfg
    team = WorkerTeam(RLPDAgent(cfg), 2, timeout_s=5.0)
    try:
        team._order(("nonsense",))
        team._processes[0].join(20)
        with pytest.raises(WorkerFailed, match="exit code 1: RuntimeError: rank 0 sent 'nonsense'"):
            team.update(Batches(cfg))
    finally:
        team.close()


def test_workers_end_when_the_learner_is_killed():
    program = """
import time
from hilserl_learning.distributed import WorkerTeam
from hilserl_learning.profiles import profile
from hilserl_learning.sac import RLPDAgent
if __name__ == "__main__":
    cfg = profile("fast", state_dim=18, action_dim=6, feature_dim=0, hidden=(16, 16), batch_size=4)
    team = WorkerTeam(RLPDAgent(cfg), 2)
    print(team._processes[0].pid, flush=True)
    time.sleep(60)
"""
    learner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(learner.stdout.readline())
    os.kill(pid, 0)
    learner.kill()
    learner.wait()
    deadline = time.monotonic() + 20
    while is_there(pid):
        assert time.monotonic() < deadline, "the worker outlives its learner"
        time.sleep(0.05)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_shares_must_be_equal():
    cfg = profile("fast", state_dim=18, action_dim=6, feature_dim=0, hidden=(16, 16), batch_size=256)
    with pytest.raises(LearningError, match=r"workers: 3 do not share a batch_size of 256.*batch_size 255"):
        WorkerTeam(RLPDAgent(cfg), 3)
    with pytest.raises(LearningError, match="at least 2"):
        WorkerTeam(RLPDAgent(cfg), 1)
