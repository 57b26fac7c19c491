# SPDX-License-Identifier: Apache-2.0
"""The run's log: what was appended is read back, also by other tools, also when the writer was killed."""

import os
import resource

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import MCAP0_MAGIC
from rosbags.rosbag2.storage_mcap import McapReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hilserl_agent.sender import Sender
from hilserl_agent.transition_files import definition, log_files, read_log
from hilserl_agent.transition_log import TransitionLog
from hilserl_msgs.msg import Transition
from hilserl_task import TaskError

IDENTITY = {"config_hash": "abc", "perception_id": "xyz"}
LEFT, RIGHT = Sender("left/actor", "s1", "o1"), Sender("right/actor", "s2", "o2")


def transitions(first, count):
    pixels = np.zeros(300, np.uint8)
    return [
        Transition(sequence=n, episode=1, step=n, images=pixels.tolist(), state=[0.5, float(n)])
        for n in range(first, first + count)
    ]


def log(path, compress=True):
    return TransitionLog(path / "transitions", IDENTITY, compress)


def read(path, first=0, identity=IDENTITY):
    log = TransitionLog(path / "transitions", identity, compress=True)
    warnings = log.repair()
    entries = list(log.read(first))
    log.close()
    return [(e.sender.actor_id, e.message.sequence) for e in entries], warnings


@pytest.mark.parametrize("compress", [True, False])
def test_batches_of_several_actors_come_back_in_order(tmp_path, compress):
    writer = log(tmp_path, compress)
    writer.append(LEFT, transitions(1, 3))
    writer.append(RIGHT, transitions(1, 2))
    writer.append(LEFT, transitions(4, 1))
    expected = [("left/actor", n) for n in (1, 2, 3)] + [
        ("right/actor", 1),
        ("right/actor", 2),
        ("left/actor", 4),
    ]
    writer.close()
    assert read(tmp_path) == (expected, [])
    (entry, *_) = read_log(tmp_path / "transitions", 0, IDENTITY)
    assert entry.sender == LEFT
    assert list(entry.message.state) == [0.5, 1.0]
    assert len(entry.message.images) == 300


def test_other_tools_open_it(tmp_path):
    writer = log(tmp_path)
    writer.append(LEFT, transitions(1, 3))
    writer.close()
    (path,) = log_files(tmp_path / "transitions")
    with path.open("rb") as file:
        found = [
            (s.name, c.topic, m.sequence) for s, c, m in make_reader(file, validate_crcs=True).iter_messages()
        ]
    assert found == [("hilserl_msgs/msg/Transition", "/transitions/left/actor", n) for n in (1, 2, 3)]
    assert with_rosbags(path) == [1, 2, 3]


def with_rosbags(path):
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(definition().decode(), "hilserl_msgs/msg/Transition"))
    reader = McapReader(path)
    reader.open()
    try:
        return [
            store.deserialize_cdr(data, connection.msgtype).sequence
            for connection, _, data in reader.messages(reader.connections)
        ]
    finally:
        reader.close()


@pytest.mark.parametrize("torn", [0, 1, 20, 60])
def test_a_killed_writer_loses_nothing_appended_and_its_file_is_completed(tmp_path, torn):
    writer = log(tmp_path)
    writer.append(LEFT, transitions(1, 5))
    (path,) = log_files(tmp_path / "transitions")
    whole = path.stat().st_size  # no close(): the writer is gone
    writer.append(LEFT, transitions(6, 1))
    writer._lock.close()  # as the end of the process does
    os.truncate(path, whole + torn)
    entries, warnings = read(tmp_path)
    assert entries == [("left/actor", n) for n in range(1, 6)]
    assert len(warnings) == 1
    assert "no whole record" in warnings[0]
    assert read(tmp_path) == (entries, [])
    assert with_rosbags(path) == [1, 2, 3, 4, 5]


def test_each_process_and_checkpoint_begins_a_file(tmp_path):
    writer = log(tmp_path)
    assert writer.rotate() == 0  # nothing in it: no file
    writer.append(LEFT, transitions(1, 2))
    assert writer.rotate() == 1
    writer.append(LEFT, transitions(3, 2))
    writer.close()
    again = log(tmp_path)
    again.append(RIGHT, transitions(1, 1))
    again.close()
    assert [path.name for path in log_files(tmp_path / "transitions")] == [f"00000{n}.mcap" for n in range(3)]
    assert read(tmp_path, first=1)[0] == [("left/actor", 3), ("left/actor", 4), ("right/actor", 1)]


def test_a_log_of_another_configuration_is_refused(tmp_path):
    writer = log(tmp_path)
    writer.append(LEFT, transitions(1, 1))
    writer.close()
    with pytest.raises(TaskError, match=r"config_hash is abc, here other.*new run folder"):
        read(tmp_path, identity={**IDENTITY, "config_hash": "other"})


@pytest.mark.parametrize("compress", [True, False])
def test_damage_anywhere_loses_nothing_silently(tmp_path, compress):
    """A flipped bit is named or does no harm (index, padding); what was acknowledged is never cut off."""
    writer = log(tmp_path, compress)
    writer.append(LEFT, transitions(1, 5))
    writer.close()
    (path,) = log_files(tmp_path / "transitions")
    good = path.read_bytes()
    refused = 0
    for position in range(len(MCAP0_MAGIC), len(good) - len(MCAP0_MAGIC), 5):
        data = bytearray(good)
        data[position] ^= 0x41
        path.write_bytes(data)
        try:
            entries, _ = read(tmp_path)
        except TaskError as error:
            refused += f"{path}: damaged near byte" in str(error)
        else:
            assert entries == [("left/actor", n) for n in range(1, 6)], f"byte {position}"
        assert path.read_bytes() == data, f"byte {position}"
    assert refused > 20


def test_a_full_disk_accepts_nothing_and_keeps_what_there_is(tmp_path):
    writer = log(tmp_path)
    writer.append(LEFT, transitions(1, 3))
    (path,) = log_files(tmp_path / "transitions")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match="too large"):
            writer.append(LEFT, transitions(4, 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    writer.append(LEFT, transitions(4, 1))
    writer.close()
    assert read(tmp_path)[0] == [("left/actor", n) for n in (1, 2, 3, 4)]


def test_a_power_cut_cannot_take_the_name_of_a_file(tmp_path, monkeypatch):
    writer, synced = log(tmp_path), []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    writer.append(LEFT, transitions(1, 1))
    assert writer.folder.stat().st_ino in synced


def test_two_learners_in_one_folder_are_noticed(tmp_path):
    one, other = log(tmp_path), log(tmp_path)
    one.append(LEFT, transitions(1, 1))
    with pytest.raises(OSError, match="another learner writes"):
        other.append(LEFT, transitions(1, 1))
    with pytest.raises(OSError, match="another learner writes"):
        other.repair()
    one.close()
    log(tmp_path).append(LEFT, transitions(2, 1))
