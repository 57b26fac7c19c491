# SPDX-License-Identifier: Apache-2.0
import json
import os

import numpy as np
import pytest

from hilserl_agent.actor_state import ActorState, load_state, save_state
from hilserl_agent.seeds import PHASES, exploration_seed, reset_seed
from hilserl_agent.training_stop import TrainingStop
from hilserl_task.schema import TrainingSpec

SPEC = TrainingSpec(max_steps=1000, window_episodes=4, stop_success_rate=0.75, stable_episodes=2)


def test_every_episode_of_every_phase_has_its_own_seed():
    seeds = {reset_seed(0, phase, episode) for phase in PHASES for episode in range(200)}
    seeds |= {exploration_seed(0, phase, episode) for phase in PHASES for episode in range(200)}
    assert len(seeds) == 2 * 200 * len(PHASES)
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert reset_seed(0, "train", 3) != reset_seed(1, "train", 3)


def test_seeds_stay_the_same_over_versions():
    assert reset_seed(0, "train", 0) == int(
        np.random.SeedSequence([0, 1, 0, 0]).generate_state(1, np.uint64)[0]
    )


def test_unknown_phase_is_named():
    with pytest.raises(ValueError, match="'trial' must be one of train"):
        reset_seed(0, "trial", 0)


def test_training_stops_after_stable_success_without_interventions():
    stop = TrainingStop(SPEC)
    for _ in range(3):
        stop.add(True, 10, 0)
    assert stop.reason(30) is None, "window is not full"
    stop.add(False, 10, 0)  # 3 of 4: good, first stable episode
    assert stop.stable == 1
    stop.add(True, 10, 0)
    assert "success 75%" in (stop.reason(50) or "")


def test_an_intervention_restarts_the_count():
    stop = TrainingStop(SPEC)
    for _ in range(4):
        stop.add(True, 10, 0)
    stop.add(True, 10, 8)
    assert stop.stable == 0
    assert stop.intervention_rate == pytest.approx(0.2)


def test_step_limit_stops_training():
    assert "step limit" in (TrainingStop(SPEC).reason(1000) or "")


def test_stop_rule_and_counters_survive_a_restart(tmp_path):
    stop = TrainingStop(SPEC)
    for _ in range(4):
        stop.add(True, 10, 0)
    path = tmp_path / "checkpoints" / "actor.json"
    save_state(path, "train", ActorState(4, 40, stop.state()))
    save_state(path, "teleop", ActorState(7))
    state = load_state(path, "train")
    again = TrainingStop(SPEC)
    again.restore(state.training_stop)
    assert (state.next_episode, state.total_steps) == (4, 40)
    assert (again.stable, again.success_rate) == (1, 1.0)
    assert load_state(path, "teleop").next_episode == 7
    assert load_state(path, "evaluate") == ActorState()


def test_counters_are_on_the_disk_before_they_replace_the_old_ones(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    path = tmp_path / "actor.json"
    save_state(path, "train", ActorState(4, 40))
    assert synced == [path.stat().st_size]


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"train": {"surprise": 1}})])
def test_damaged_counters_are_named(tmp_path, text):
    path = tmp_path / "actor.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"actor\.json.*new run folder"):
        load_state(path, "train")
