# SPDX-License-Identifier: Apache-2.0
import json
import os

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hilserl_agent.actor_state import ActorState, load_state, save_state
from hilserl_agent.hindsight import MarkedEpisode, label_episode, label_frames, read_label_files
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


def test_hindsight_labels_are_relative_to_the_pose_at_success():
    base_T_goal = np.eye(4)
    base_T_goal[:3, :3] = Rotation.from_rotvec([0.0, 0.0, 0.5]).as_matrix()
    base_T_goal[:3, 3] = [0.5, 0.1, 0.05]
    goal_T_above = np.eye(4)
    goal_T_above[:3, 3] = [0.01, 0.0, 0.03]
    poses = np.stack([base_T_goal @ goal_T_above, base_T_goal, base_T_goal])
    episode = MarkedEpisode(np.zeros((3, 1, 4, 4, 3), np.uint8), poses, np.array([False, True, True]))
    labels = label_episode(episode)
    assert labels is not None
    np.testing.assert_allclose(labels[0], [0.01, 0, 0.03, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(labels[1:], 0, atol=1e-6)


def test_episodes_without_success_give_no_labels():
    failed = MarkedEpisode(np.zeros((2, 1, 4, 4, 3), np.uint8), np.stack([np.eye(4)] * 2), np.zeros(2, bool))
    done = MarkedEpisode(failed.images, failed.base_T_tcp, np.array([False, True]))
    frames = label_frames([failed, done, done])
    assert frames.images.shape == (4, 1, 4, 4, 3)
    assert frames.groups.tolist() == [1, 1, 2, 2]
    with pytest.raises(ValueError, match="none of the 1 episodes"):
        label_frames([failed])


def test_unreadable_label_file_is_named(tmp_path):
    (tmp_path / "episode_0000.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"episode_0000\.npz"):
        read_label_files(tmp_path)
    (tmp_path / "episode_0000.npz").unlink()
    np.savez(tmp_path / "episode_0001.npz", images=np.zeros(1))
    with pytest.raises(ValueError, match=r"episode_0001\.npz"):
        read_label_files(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_truncated_label_file_is_named(tmp_path, share):
    path = tmp_path / "episode_0000.npz"
    np.savez(path, images=np.zeros((2, 1, 8, 8, 3)), labels=np.ones(2), base_T_tcp=np.stack([np.eye(4)] * 2))
    assert len(read_label_files(tmp_path)) == 1
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"episode_0000\.npz.*collect labels again"):
        read_label_files(tmp_path)
