# SPDX-License-Identifier: Apache-2.0
"""Demonstrations of the original: written here with its own formulas, read back in this project's terms."""

import os
import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hilserl_recorder import restricted_pickle
from hilserl_ros.bags import BagError, read_episode
from hilserl_task.frames import inverse, pose_matrix, position_and_rotvec, rotate_both

STEPS = 4
SIZE = 48


def adjoint(pose):
    """franka_env/utils/transformations.py, construct_adjoint_matrix."""
    rotation, (x, y, z) = pose[:3, :3], pose[:3, 3]
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = matrix[3:, 3:] = rotation
    matrix[3:, :3] = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rotation
    return matrix


class Original:
    """An episode of its graph: what the arm did, and what record_demos.py writes of it."""

    def __init__(self, seed, infos=True):
        rng = np.random.default_rng(seed)
        down = Rotation.from_euler("xyz", [np.pi, 0, 0])
        turns = [Rotation.from_rotvec(rng.uniform(-0.2, 0.2, 3)) * down for _ in range(STEPS + 1)]
        self.poses = [pose_matrix(rng.uniform(0.2, 0.6, 3), turn.as_quat()) for turn in turns]
        self.velocities = rng.uniform(-0.1, 0.1, (STEPS + 1, 6))  # base axes
        self.forces = rng.uniform(-5, 5, (STEPS + 1, 6))
        self.actions = rng.uniform(-0.5, 0.5, (STEPS, 6))  # base axes, as the environment executes them
        self.pictures = rng.integers(0, 255, (STEPS + 1, 2, SIZE, SIZE, 3), dtype=np.uint8)
        self.transitions = [self._transition(k, infos) for k in range(STEPS)]

    def observation(self, k):
        relative = inverse(self.poses[0]) @ self.poses[k]
        euler = Rotation.from_matrix(relative[:3, :3]).as_euler("xyz")
        velocity = np.linalg.inv(adjoint(self.poses[k])) @ self.velocities[k]
        parts = [[0.0], self.forces[k, :3], relative[:3, 3], euler, self.forces[k, 3:], velocity]
        pictures = {f"wrist_{c + 1}": self.pictures[k, c][None] for c in range(2)}
        return {"state": np.concatenate(parts).astype(np.float32)[None], **pictures}

    def _transition(self, k, infos):
        last = k == STEPS - 1
        pose = np.r_[self.poses[k + 1][:3, 3], Rotation.from_matrix(self.poses[k + 1][:3, :3]).as_quat()]
        stored = np.linalg.inv(adjoint(self.poses[k])) @ self.actions[k]
        transition = {
            "observations": self.observation(k), "next_observations": self.observation(k + 1),
            "actions": stored, "rewards": int(last), "masks": 1.0 - last, "dones": last,
        }  # fmt: skip
        if infos:
            state = {"tcp_pose": pose, "tcp_vel": self.velocities[k + 1]}
            transition["infos"] = {"original_state_obs": state, "succeed": np.bool_(last), "left": False}
            if k != 1:
                transition["infos"]["intervene_action"] = stored
        return transition


def written(path, *episodes, protocol=4):
    path.write_bytes(pickle.dumps([t for episode in episodes for t in episode.transitions], protocol))
    return path


def imported(path, tmp_path, run_demos, *more):
    code, _, error = run_demos("import", path, "--out", tmp_path / "bags", "--task", "ram_insertion", *more)
    assert code == 0, error
    return [read_episode(bag) for bag in sorted((tmp_path / "bags").iterdir())]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_states_and_actions_are_in_the_tcps_own_axes(tmp_path, run_demos, protocol):
    originals = [Original(seed) for seed in (1, 2)]
    episodes = imported(written(tmp_path / "ram.pkl", *originals, protocol=protocol), tmp_path, run_demos)
    assert [episode.steps for episode in episodes] == [STEPS, STEPS]
    for original, episode in zip(originals, episodes, strict=True):
        for k, pose in enumerate(original.poses):
            expected = [
                position_and_rotvec(inverse(original.poses[0]) @ pose),
                rotate_both(pose[:3, :3].T, original.velocities[k]),
                original.forces[k],
            ]
            np.testing.assert_allclose(episode.states[k], np.concatenate(expected), atol=2e-6)
            np.testing.assert_allclose(episode.base_T_tcp[k], pose, atol=2e-6)
        for k, action in enumerate(original.actions):
            expected = rotate_both(original.poses[k][:3, :3].T, action)  # the adjoint's error is undone
            np.testing.assert_allclose(episode.actions[k], expected, atol=2e-6)
        assert episode.sources.tolist() == [1, 0, 1, 1]
        assert episode.rewards.tolist() == [0, 0, 0, 1]
        assert (episode.outcome, episode.terminated) == ("success", True)
        assert "adjoint was undone" in episode.metadata["import_notes"]
        assert episode.images.shape == (STEPS + 1, 2, 128, 128, 3)


def test_without_infos_what_cannot_be_undone_is_said(tmp_path, run_demos):
    original = Original(3, infos=False)
    (episode,) = imported(written(tmp_path / "ram.pkl", original), tmp_path, run_demos)
    stored = np.array([t["actions"] for t in original.transitions])
    np.testing.assert_allclose(episode.actions, np.clip(stored, -1, 1), atol=1e-6)
    assert "the original's adjoint stays" in episode.metadata["import_notes"]
    relative = inverse(original.poses[0]) @ original.poses[2]
    np.testing.assert_allclose(episode.base_T_tcp[2], relative, atol=2e-6)


def test_cameras_may_have_other_names(tmp_path, run_demos):
    original = Original(4)
    for transition in original.transitions:
        for side in ("observations", "next_observations"):
            transition[side]["side"] = transition[side].pop("wrist_2")
    path = written(tmp_path / "ram.pkl", original)
    code, _, error = run_demos("import", path, "--out", tmp_path / "bags", "--task", "ram_insertion")
    assert (code, "lacks wrist_2" in error) == (1, True)
    assert len(imported(path, tmp_path, run_demos, "--camera", "wrist_2=side")) == 1


class Attack:
    """Runs a command while it is unpickled by pickle.load."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_a_malicious_pickle_runs_nothing(tmp_path, run_demos):
    marker = tmp_path / "pwned"
    path = tmp_path / "demos.pkl"
    transitions = Original(5).transitions
    transitions[1]["infos"]["extra"] = Attack(marker)
    path.write_bytes(pickle.dumps(transitions))
    code, _, error = run_demos("import", path, "--out", tmp_path / "bags", "--task", "ram_insertion")
    assert code == 1
    assert "refused: names posix.system" in error
    assert not marker.exists()
    assert not (tmp_path / "bags").exists()
    pickle.loads(path.read_bytes())  # the attack itself works
    assert marker.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0ddtype.__doc__\x93.",
        b"cfunctools\npartial\n.",
        b"\x80\x04",
        b"",
    ],
)
def test_nothing_but_arrays_is_built(tmp_path, code):
    path = tmp_path / "x.pkl"
    path.write_bytes(code)
    with pytest.raises(BagError, match="refused"):
        restricted_pickle.load(path)


def test_arrays_of_numpy_1_are_read(tmp_path):
    """Pickles of the original's time name numpy.core; numpy 2 calls it numpy._core."""
    data = pickle.dumps({"a": np.arange(3), "b": np.float32(2.5)}, 3).replace(b"numpy._core", b"numpy.core")
    (tmp_path / "x.pkl").write_bytes(data)
    content = restricted_pickle.load(tmp_path / "x.pkl")
    assert (content["a"].tolist(), float(content["b"])) == ([0, 1, 2], 2.5)


def without(key):
    def change(transitions):
        del transitions[2][key]

    return change


def short_state(transitions):
    transitions[0]["observations"]["state"] = np.zeros((1, 7))


def unfinished(transitions):
    transitions[-1]["dones"] = False


def float_pictures(transitions):
    transitions[0]["observations"]["wrist_1"] = np.zeros((1, 8, 8, 3))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without("next_observations"), "transition 2 lacks next_observations"),
        (short_state, "7 state values, must be 19"),
        (unfinished, "the last 4 transitions have no end"),
        (float_pictures, "wrist_1 is (1, 8, 8, 3) float64, must be (1, H, W, 3) uint8"),
        (lambda transitions: transitions.clear(), "list, must be a list of transitions"),
    ],
)
def test_what_is_no_demonstration_is_named(tmp_path, run_demos, change, text):
    original = Original(6)
    change(original.transitions)
    path = written(tmp_path / "ram.pkl", original)
    code, _, error = run_demos("import", path, "--out", tmp_path / "bags", "--task", "ram_insertion")
    assert code == 1
    assert text in error
    assert not (tmp_path / "bags").exists()


def test_an_import_that_fails_on_the_way_leaves_the_folder_as_it_was(tmp_path, run_demos):
    good, bad = Original(1), Original(2)
    imported(written(tmp_path / "good.pkl", good), tmp_path, run_demos)
    bad.transitions[2]["actions"] = np.full(6, np.nan)
    path = written(tmp_path / "half.pkl", good, bad)
    code, _, error = run_demos("import", path, "--out", tmp_path / "bags", "--task", "ram_insertion")
    assert code == 1
    assert "half.pkl, episode 1: does not fit task 'ram_insertion': actions not finite" in error
    assert [bag.name for bag in (tmp_path / "bags").iterdir()] == ["episode_0000"]


def test_a_source_that_is_not_there(tmp_path, run_demos):
    arguments = ("--out", tmp_path / "bags", "--task", "ram_insertion")
    code, _, error = run_demos("import", tmp_path / "nowhere", *arguments)
    assert (code, "nowhere does not exist" in error) == (1, True)
