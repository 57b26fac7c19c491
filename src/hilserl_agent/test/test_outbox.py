# SPDX-License-Identifier: Apache-2.0
"""The outbox on disk: order and content, restart after `kill -9`, torn ends, full disk, space."""

import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from hilserl_agent.episode_book import ClosedStep, Executed, Frame
from hilserl_agent.messages import transition_message
from hilserl_agent.outbox import RECLAIM_BYTES, Outbox, OutboxError


def frame(step):
    return Frame(step, np.full(2, step), np.full((1, 4, 4, 3), step % 256, np.uint8), np.ones(3, np.float32))


def message(step, episode=0, last=False):
    executed = Executed(np.zeros(6, np.float32), 0)
    return transition_message(
        ClosedStep(frame(step), executed, frame(step + 1), 0.5, False, last), episode, True
    )


def put_episode(outbox, episode, steps=5):
    for step in range(steps):
        outbox.put(message(step, episode, last=step == steps - 1))
    outbox.release()


def sent(outbox):
    return [(m.sequence, m.episode, m.step, m.truncated) for m in outbox.head(10**6)]


@pytest.fixture
def reopen(tmp_path):
    """Opens the same folder again, as the next process does; the one before just stops."""
    opened = []

    def reopen(**options):
        if opened:
            opened.pop().close()
        opened.append(Outbox(tmp_path / "outbox", **options))
        return opened[0]

    yield reopen
    if opened:
        opened.pop().close()


def test_content_comes_back_in_order_and_only_the_last_step_has_its_successor(reopen):
    outbox = reopen()
    put_episode(outbox, 3)
    outbox = reopen()
    messages = outbox.head(100)
    assert [m.sequence for m in messages] == [1, 2, 3, 4, 5]
    assert [m.step for m in messages] == [0, 1, 2, 3, 4]
    assert [bytes(m.images) for m in messages] == [bytes([k]) * 48 for k in range(5)]
    assert [len(m.next_images) for m in messages] == [0, 0, 0, 0, 48]
    assert messages[-1].next_state.tolist() == [5, 5]
    assert all(m.reward == 0.5 for m in messages)


def test_batches_are_limited_in_number_and_bytes(reopen):
    outbox = reopen()
    put_episode(outbox, 0, steps=20)
    assert len(outbox.head(7)) == 7
    size = outbox._pending[0].size
    assert len(outbox.head(20, most_bytes=3 * size)) == 3
    assert len(outbox.head(20, most_bytes=1)) == 1


def test_a_discarded_episode_is_forgotten_for_ever(reopen):
    outbox = reopen()
    for step in range(3):
        outbox.put(message(step))
    outbox.discard()
    put_episode(outbox, 1, steps=2)
    assert sent(outbox) == [(1, 1, 0, False), (2, 1, 1, True)]
    outbox = reopen()
    assert outbox.close_cut_episode() == 0
    assert sent(outbox) == [(1, 1, 0, False), (2, 1, 1, True)]


def test_an_episode_that_was_cut_off_is_closed_at_restart(reopen):
    outbox = reopen()
    put_episode(outbox, 0, steps=2)
    for step in range(3):
        outbox.put(message(step, episode=1))
    outbox = reopen()
    assert len(outbox) == 5
    assert outbox.close_cut_episode() == 3
    assert sent(outbox)[2:] == [(3, 1, 0, False), (4, 1, 1, False), (5, 1, 2, True)]
    assert outbox.head(10)[-1].next_state.tolist() == [3, 3]
    outbox = reopen()
    assert outbox.close_cut_episode() == 0
    assert sent(outbox)[2:] == [(3, 1, 0, False), (4, 1, 1, False), (5, 1, 2, True)]


def test_an_episode_that_had_ended_but_not_left_keeps_its_end(reopen):
    outbox = reopen()
    outbox.put(message(0))
    end = message(1)
    end.terminated = True
    outbox.put(end)
    outbox = reopen()
    assert outbox.close_cut_episode() == 2
    newest = outbox.head(5)[-1]
    assert (newest.terminated, newest.truncated) == (True, False)


def test_a_step_that_left_at_once_is_closed_too(reopen):
    outbox = reopen()
    for step in range(3):
        outbox.put(message(step))
        outbox.release(durable=False)
    outbox = reopen()
    assert outbox.close_cut_episode() == 0
    assert sent(outbox) == [(1, 0, 0, False), (2, 0, 1, False), (3, 0, 2, True)]


def test_numbers_go_on_after_restart_and_acknowledged_ones_do_not_come_again(reopen):
    outbox = reopen()
    put_episode(outbox, 0)
    outbox.reconcile(3)
    name = outbox.outbox_id
    outbox = reopen()
    assert (outbox.outbox_id, outbox.last, outbox.acknowledged, outbox.newest_episode) == (name, 5, 3, 0)
    put_episode(outbox, 1, steps=1)
    assert [entry[0] for entry in sent(outbox)] == [4, 5, 6]
    outbox.reconcile(6)
    outbox = reopen()
    assert (outbox.last, outbox.pending) == (6, 0)


def test_learner_with_more_than_was_sent_means_a_shared_name(reopen):
    outbox = reopen()
    put_episode(outbox, 0, steps=1)
    with pytest.raises(ValueError, match="must not share an actor_id"):
        outbox.reconcile(2)
    assert outbox.pending == 1
    outbox.reconcile(7, may_jump=True)
    outbox = reopen()
    put_episode(outbox, 1, steps=1)
    assert sent(outbox) == [(8, 1, 0, True)]


def test_learner_that_lost_some_gets_the_rest_under_its_own_numbers(reopen):
    outbox = reopen()
    put_episode(outbox, 0)
    outbox.reconcile(4)
    assert outbox.reconcile(2) == 2
    assert sent(outbox) == [(3, 0, 4, True)]
    outbox = reopen()
    assert sent(outbox) == [(3, 0, 4, True)]
    assert outbox.reconcile(3) == 0


def test_space_is_given_back(reopen, tmp_path):
    outbox = reopen(segment_bytes=2000)
    for episode in range(20):
        put_episode(outbox, episode)
    files = len(list((tmp_path / "outbox").glob("*.journal")))
    assert files > 5
    outbox.reconcile(60)
    assert len(list((tmp_path / "outbox").glob("*.journal"))) < files
    outbox = reopen(segment_bytes=2000)
    assert [entry[:2] for entry in sent(outbox)] == [(n, (n - 1) // 5) for n in range(61, 101)]
    outbox.reconcile(100)
    assert len(list((tmp_path / "outbox").glob("*.journal"))) == 1
    outbox = reopen(segment_bytes=2000)
    assert (outbox.last, outbox.pending) == (100, 0)


def test_one_long_file_is_replaced_once_it_is_empty(reopen, tmp_path):
    outbox = reopen()
    big = message(0, last=True)
    big.next_images = np.zeros(RECLAIM_BYTES + 1, np.uint8)
    outbox.put(big)
    outbox.release()
    outbox.reconcile(1)
    (file,) = (tmp_path / "outbox").glob("*.journal")
    assert file.stat().st_size < 1000


@pytest.mark.parametrize("bytes_left", [1, 5, 9, 60, 200])
def test_a_torn_last_record_is_ignored_and_said(reopen, tmp_path, bytes_left):
    outbox = reopen()
    for step in range(3):
        outbox.put(message(step))
    whole = outbox._file.size
    outbox.put(message(3))
    file = outbox._file.path
    assert file.stat().st_size > whole + bytes_left
    os.truncate(file, whole + bytes_left)
    outbox = reopen()
    assert f"{bytes_left} bytes behind byte {whole}" in outbox.warnings[0]
    assert outbox.close_cut_episode() == 3
    assert [entry[2:] for entry in sent(outbox)] == [(0, False), (1, False), (2, True)]
    outbox = reopen()
    assert outbox.warnings == []
    assert outbox.pending == 3


def test_a_flipped_bit_is_not_read_as_data(reopen):
    outbox = reopen()
    put_episode(outbox, 0, steps=2)
    entry, path = outbox._pending[1], outbox._file.path
    with path.open("r+b") as file:
        file.seek(entry.offset + 40)
        byte = file.read(1)
        file.seek(entry.offset + 40)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(OSError, match=f"damaged at byte {entry.offset}"):
        outbox.head(10)


def test_damage_before_the_end_is_named_and_nothing_is_cut(reopen, tmp_path):
    put_episode(reopen(), 0)
    outbox = reopen()
    path, first = outbox._file.path, outbox._pending[0].offset
    data = bytearray(path.read_bytes())
    data[first + 40] ^= 1
    path.write_bytes(data)
    with pytest.raises(OutboxError, match=f"behind byte {first} are damaged; move the folder away"):
        reopen()
    assert path.read_bytes() == data


def test_the_end_of_an_episode_waits_for_file_and_name(reopen, monkeypatch):
    """A power cut after it: without its name in the folder a synced file is lost."""
    outbox, synced = reopen(), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    put_episode(outbox, 0)
    put_episode(outbox, 1)
    assert synced == [outbox.folder.stat().st_ino], "once, for the one file"


def test_a_second_process_is_refused(tmp_path, reopen):
    reopen()
    with pytest.raises(OutboxError, match="another actor with this actor_id is running"):
        Outbox(tmp_path / "outbox")


def test_a_full_disk_takes_nothing_and_keeps_what_there_is(reopen):
    outbox = reopen()
    put_episode(outbox, 0)
    outbox.put(message(0, episode=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = outbox._file.size
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 100, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match="too large"):
            outbox.put(message(1, episode=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outbox._file.path.stat().st_size == before
    outbox.put(message(1, episode=1))
    outbox = reopen()
    assert outbox.warnings == []
    assert outbox.close_cut_episode() == 2
    assert [entry[1:3] for entry in sent(outbox)][-2:] == [(1, 0), (1, 1)]


def test_what_put_has_returned_from_survives_kill_9(tmp_path):
    program = textwrap.dedent(
        """
        import os, signal, sys
        sys.path.insert(0, {folder!r})
        from pathlib import Path
        from test_outbox import Outbox, message
        outbox = Outbox(Path({outbox!r}))
        for step in range(10):
            outbox.put(message(step))
        os.kill(os.getpid(), signal.SIGKILL)
        """
    ).format(folder=os.path.dirname(__file__), outbox=str(tmp_path / "outbox"))
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    outbox = Outbox(tmp_path / "outbox")
    assert outbox.close_cut_episode() == 10
    outbox.close()
