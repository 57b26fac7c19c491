# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hilserl_learning.errors import LearningError
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sampling import RLPDSampler, add_with_intervention

SHAPE = (1, 4, 4, 3)


def frame(number: int) -> dict:
    """A frame whose state, features and picture all carry the same number."""
    return {
        "state": np.full(2, number),
        "features": np.full(3, number),
        "images": np.full(SHAPE, number % 251, np.uint8),
    }


def buffer(capacity: int = 100) -> ReplayBuffer:
    return ReplayBuffer(capacity, 2, 3, 1, SHAPE)


def step(number: int, episode: int, k: int, last: bool = False, actor: str = "a") -> dict:
    """Step k of an episode; frames are numbered through, so the successor of n is n + 1."""
    values = {"actor_id": actor, "sequence": number, "episode": episode, "step": k, **frame(number)}
    values |= {"action": [number / 1000], "reward": float(last), "terminated": last, "truncated": False}
    if last:
        values |= {f"next_{key}": value for key, value in frame(number + 1).items()}
    return values


def fill(buffer: ReplayBuffer, episodes: int, length: int, first: int = 0) -> int:
    number = first
    for episode in range(episodes):
        for k in range(length):
            assert buffer.add_step(**step(number, first + episode, k, k == length - 1))
            number += 1
        number += 1  # the final frame has a number of its own
    return number


def assert_consistent(batch) -> None:
    assert torch.equal(batch.next_state, batch.state + 1)
    assert torch.equal(batch.features[:, 0], batch.state[:, 0])
    assert torch.equal(batch.next_features[:, 0], batch.next_state[:, 0])
    assert torch.equal(batch.images[:, 0, 0, 0, 0].long(), batch.state[:, 0].long() % 251)
    assert torch.equal(batch.next_images[:, 0, 0, 0, 0].long(), batch.next_state[:, 0].long() % 251)
    torch.testing.assert_close(batch.action[:, 0] * 1000, batch.state[:, 0])


def test_every_transition_keeps_its_own_frames():
    replay = buffer()
    fill(replay, 4, 6)
    assert len(replay) == 24
    batch = replay.sample(500, torch.Generator().manual_seed(0))
    assert_consistent(batch)
    assert set(batch.state[:, 0].int().tolist()) == {7 * e + k for e in range(4) for k in range(6)}
    last = batch.state[:, 0] % 7 == 5
    assert torch.equal(batch.terminated, last.float())
    assert torch.equal(batch.reward, last.float())


def test_overwritten_ring_never_mixes_old_and_new():
    replay = buffer(23)
    first = 0
    for _ in range(7):
        first = fill(replay, 3, 5, first)
        assert_consistent(replay.sample(300, torch.Generator().manual_seed(first)))
        assert len(replay) <= 23


def test_intervention_segments_are_not_joined():
    """Defect D1 of the original: the first transition of a later segment saw the earlier segment's frame."""
    online, demo = buffer(), buffer()
    corrected = {2, 3, 7}
    for k in range(10):
        add_with_intervention(online, demo, k in corrected, **step(k, 0, k, last=k == 9))
    assert len(online) == 10
    assert len(demo) == 3
    batch = demo.sample(100, torch.Generator().manual_seed(0))
    assert_consistent(batch)
    assert set(batch.state[:, 0].int().tolist()) == corrected


def test_open_segment_is_not_continued_by_another_episode():
    replay = buffer()
    replay.add_step(**step(0, episode=0, k=0))
    replay.add_step(**step(1, episode=1, k=0))  # episode 0 was cut off, e.g. by a crash
    replay.add_step(**step(2, episode=1, k=2))  # step 1 was lost
    assert len(replay) == 0
    replay.add_step(**step(3, episode=1, k=3))
    assert len(replay) == 1
    assert_consistent(replay.sample(10))


def test_two_actors_do_not_interfere():
    replay = buffer()
    for k in range(5):
        for i, actor in enumerate("ab"):
            replay.add_step(**step(100 * i + k, 0, k, k == 4, actor) | {"sequence": k})
    assert len(replay) == 10
    assert_consistent(replay.sample(200, torch.Generator().manual_seed(0)))


def test_insert_is_idempotent():
    replay = buffer()
    batch = [step(k, 0, k, k == 5) for k in range(6)]
    assert all(replay.add_step(**one) for one in batch)
    assert not any(replay.add_step(**one) for one in batch)
    assert len(replay) == 6
    assert replay.last_sequence("a") == 5
    assert replay.last_sequence("nobody") == -1


def test_sampling_picks_stored_copies():
    replay = ReplayBuffer(10, 1, 1, 1, feature_copies=4)
    copies = np.arange(4)[:, None]
    replay.add_step("a", 0, 0, 0, [0], copies, [0], 0, True, False, [0], copies + 10)
    batch = replay.sample(200, torch.Generator().manual_seed(0))
    assert set(batch.features[:, 0].tolist()) == {0, 1, 2, 3}
    assert set(batch.next_features[:, 0].tolist()) == {10, 11, 12, 13}


def test_save_and_load_go_on_exactly(tmp_path):
    replay = buffer(23)
    fill(replay, 6, 5)
    replay.add_step(**step(100, 9, 0))  # its successor comes after the restart
    replay.save(tmp_path / "replay.npz")
    again = buffer(23)
    again.load(tmp_path / "replay.npz")
    for one in (replay, again):
        assert not one.add_step(**step(100, 9, 0))
        one.add_step(**step(101, 9, 1))
    ours, theirs = (one.sample(64, torch.Generator().manual_seed(3)) for one in (replay, again))
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert_consistent(theirs)
    fill(again, 5, 5, 200)
    assert_consistent(again.sample(300))


def test_grasp_penalty_is_kept(tmp_path):
    replay = buffer()
    replay.add_step(**step(0, 0, 0), grasp_penalty=-0.02)
    replay.add_step(**step(1, 0, 1, last=True))
    replay.save(tmp_path / "replay.npz")
    again = buffer()
    again.load(tmp_path / "replay.npz")
    for one in (replay, again):
        batch = one.sample(50, torch.Generator().manual_seed(0))
        expected = torch.where(batch.state[:, 0] == 0, -0.02, 0.0)
        torch.testing.assert_close(batch.grasp_penalty, expected)
        assert torch.equal(batch.reward, batch.terminated)


def test_load_refuses_another_layout_and_damage(tmp_path):
    replay = buffer()
    fill(replay, 1, 3)
    replay.save(tmp_path / "replay.npz")
    with pytest.raises(LearningError, match="this buffer"):
        ReplayBuffer(100, 2, 4, 1, SHAPE).load(tmp_path / "replay.npz")
    with pytest.raises(LearningError, match="pictures"):
        ReplayBuffer(100, 2, 3, 1).load(tmp_path / "replay.npz")
    (tmp_path / "half.npz").write_bytes((tmp_path / "replay.npz").read_bytes()[:200])
    with pytest.raises(LearningError, match="cannot be read"):
        buffer().load(tmp_path / "half.npz")
    with pytest.raises(LearningError, match="no file"):
        buffer().load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": [np.nan, 0]}, "state: entry 0 is not finite"),
        ({"features": [0, 0]}, r"features: shape \(2,\), must be \(3,\)"),
        ({"action": [np.inf]}, "action: entry 0"),
        ({"reward": np.nan}, "reward"),
        ({"grasp_penalty": np.inf}, "grasp_penalty: entry 3"),
        ({"images": np.zeros(SHAPE)}, "must be uint8"),
        ({"terminated": True}, "needs next_state"),
    ],
)
def test_bad_step_is_refused_and_leaves_no_trace(change, message):
    replay = buffer()
    with pytest.raises(LearningError, match=message):
        replay.add_step(**step(0, 0, 0) | change)
    assert replay.add_step(**step(0, 0, 0))  # the number is still free


def test_empty_buffers_say_so():
    with pytest.raises(LearningError, match="no complete transition"):
        RLPDSampler(buffer(), buffer(), 8).sample()


def test_half_of_a_batch_is_demonstrations():
    online, demo = buffer(), buffer()
    fill(online, 2, 5)
    fill(demo, 2, 5, 500)
    batch = RLPDSampler(online, demo, 64, torch.Generator().manual_seed(0)).sample()
    assert len(batch.state) == 64
    assert int((batch.state[:, 0] >= 500).sum()) == 32
    assert int((RLPDSampler(online, buffer(), 64).sample().state[:, 0] < 500).sum()) == 64
    assert int((RLPDSampler(buffer(), demo, 64).sample().state[:, 0] >= 500).sum()) == 64
