# SPDX-License-Identifier: Apache-2.0
"""Episode bags: what is written is read back, and damage of any kind is named."""

import json
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import Image

from hilserl_msgs.msg import Action, ArmState, EpisodeSummary, Observation, Reward
from hilserl_ros import bag_storage, bag_types
from hilserl_ros.bags import (
    BagError,
    EpisodeBagWriter,
    check_fits,
    missing_parts,
    read_bag,
    read_episode,
    read_episodes,
)
from hilserl_task import Task, load_task

STEPS = 4
CAMERAS = ("wrist_1", "wrist_2")


@pytest.fixture(params=bag_storage.LIBRARIES, autouse=True)
def library(request, monkeypatch):
    """Every test runs with each library that writes and reads bags."""
    if not bag_storage.available(request.param):
        pytest.skip(f"{request.param} is not installed here (it comes with ROS 2's binaries, not from PyPI)")
    monkeypatch.setenv(bag_storage.CHOICE, request.param)
    return request.param


@pytest.fixture
def task() -> Task:
    return load_task(str(Path(__file__).parents[3] / "config/tasks/ram_insertion.yaml"))


def picture(rng, size=128):
    image = Image(height=size, width=size, encoding="rgb8", step=3 * size)
    image.data = rng.integers(0, 255, size * size * 3, dtype=np.uint8).tobytes()
    return image


def observation(step, rng):
    msg = Observation(episode=3, step=step, camera_names=list(CAMERAS))
    msg.images = [picture(rng) for _ in CAMERAS]
    msg.state = rng.standard_normal(18).astype(np.float32).tolist()
    arm = ArmState(name="arm")
    arm.pose.position.x, arm.pose.position.z = 0.5, 0.1 + 0.01 * step
    arm.pose.orientation.x, arm.pose.orientation.w = 1.0, 0.0
    msg.arms = [arm]
    return msg


def messages(steps=STEPS, outcome=EpisodeSummary.OUTCOME_SUCCESS, reason=EpisodeSummary.TERMINATION_REWARD):
    """(topic, message, stamp) of an episode that succeeds in its last step."""
    rng = np.random.default_rng(0)
    for step in range(steps + 1):
        stamp = 1_000_000_000 + 100_000_000 * step
        yield "/observation", observation(step, rng), stamp
        success = step == steps and outcome == EpisodeSummary.OUTCOME_SUCCESS
        yield "/reward", Reward(episode=3, step=step, success=success), stamp
        if step < steps:
            values = rng.uniform(-1, 1, 6).astype(np.float32).tolist()
            yield "/executed_action", Action(episode=3, step=step, source=step % 3, values=values), stamp
    summary = EpisodeSummary(
        episode=3, steps=steps, outcome=outcome, termination_reason=reason, phase="teleop"
    )
    yield "/episode", summary, stamp


def write(path, task, skip=lambda topic, msg: False, **options):
    writer = EpisodeBagWriter(path, task, {"hilserl": "0.1.0"})
    for topic, msg, stamp in messages(**options):
        if not skip(topic, msg):
            writer.write(topic, msg, stamp)
    return writer.close()


def test_every_arm_has_its_poses(tmp_path, task):
    def with_second_arm(topic, msg):
        if topic == "/observation":
            msg.arms = [msg.arms[0], ArmState(name="second")]
            msg.arms[1].pose.position.y, msg.arms[1].pose.orientation.w = 0.1 * msg.step, 1.0
        return False

    episode = read_episode(write(tmp_path / "episode_0000", task, skip=with_second_arm))
    assert episode.arms_base_T_tcp.shape == (STEPS + 1, 2, 4, 4)
    np.testing.assert_allclose(episode.arms_base_T_tcp[:, 1, 1, 3], 0.1 * np.arange(STEPS + 1))
    np.testing.assert_array_equal(episode.base_T_tcp, episode.arms_base_T_tcp[:, 0])


def test_round_trip_is_exact(tmp_path, task):
    path = write(tmp_path / "episode_0000", task)
    episode = read_episode(path)
    written = list(messages())
    observations = [msg for topic, msg, _ in written if topic == "/observation"]
    actions = [msg for topic, msg, _ in written if topic == "/executed_action"]
    assert episode.steps == STEPS
    np.testing.assert_array_equal(episode.states, np.array([o.state for o in observations], np.float32))
    np.testing.assert_array_equal(episode.actions, np.array([a.values for a in actions], np.float32))
    assert episode.images.shape == (STEPS + 1, 2, 128, 128, 3)
    for k, msg in enumerate(observations):
        for c, image in enumerate(msg.images):
            assert episode.images[k, c].tobytes() == bytes(image.data)
    assert episode.sources.tolist() == [0, 1, 2, 0]
    assert episode.rewards.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(episode.base_T_tcp[2][:3, 3], [0.5, 0, 0.12])
    np.testing.assert_allclose(episode.base_T_tcp[2][:3, :3], np.diag([1, -1, -1]), atol=1e-12)
    assert (episode.terminated, episode.truncated, episode.outcome) == (True, False, "success")
    assert episode.metadata["hilserl"] == "0.1.0"
    assert episode.metadata["cameras"] == list(CAMERAS)
    assert episode.metadata["summary"]["termination_reason"] == "reward"
    assert Task.model_validate(yaml.safe_load(episode.metadata["task_yaml"])) == task


def test_bag_follows_rosbag2_conventions(tmp_path, task):
    """Folder, metadata.yaml of version 9, MCAP file of the folder's name, zstd chunks, known type hashes."""
    path = write(tmp_path / "episode_0007", task)
    assert sorted(file.name for file in path.iterdir()) == ["episode_0007.mcap", "metadata.yaml"]
    info = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert info["version"] == 9
    assert info["storage_identifier"] == "mcap"
    assert info["relative_file_paths"] == ["episode_0007.mcap"]
    assert info["message_count"] == len(list(messages()))
    assert info["duration"]["nanoseconds"] == 100_000_000 * STEPS
    share = Path(get_package_share_directory("hilserl_msgs")) / "msg"
    for topic in info["topics_with_message_count"]:
        about = topic["topic_metadata"]
        described = json.loads((share / f"{about['type'].split('/')[-1]}.json").read_text())
        hashes = {entry["type_name"]: entry["hash_string"] for entry in described["type_hashes"]}
        assert about["type_description_hash"] == hashes[about["type"]]


def test_metadata_has_every_field_that_rosbag2_decodes(tmp_path, task):
    """The keys and types of rosbag2_storage/yaml.hpp (Jazzy), which throws on a missing one."""
    path = write(tmp_path / "episode_0007", task)
    info = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    kinds = {
        "version": int, "storage_identifier": str, "duration": dict, "starting_time": dict,
        "message_count": int, "topics_with_message_count": list, "compression_format": str,
        "compression_mode": str, "relative_file_paths": list, "files": list, "custom_data": dict,
        "ros_distro": str,
    }  # fmt: skip
    assert {key: type(info[key]) for key in kinds} == kinds
    assert all(isinstance(value, str | int | float) for value in info["custom_data"].values())
    assert set(info["files"][0]) == {"path", "starting_time", "duration", "message_count"}
    for topic in info["topics_with_message_count"]:
        (profile,) = topic["topic_metadata"]["offered_qos_profiles"]
        assert set(profile) == {
            "history", "depth", "reliability", "durability", "deadline", "lifespan", "liveliness",
            "liveliness_lease_duration", "avoid_ros_namespace_conventions",
        }  # fmt: skip
        # This graph's subscribers are latched: a player that offers less would not reach them.
        assert (profile["reliability"], profile["durability"]) == ("reliable", "transient_local")
        assert profile["liveliness"] == "automatic"


def test_the_file_is_an_mcap_file_for_mcaps_own_library(tmp_path, task):
    """Foxglove's reference implementation: summary, schemas, chunk index, CRCs and messages."""
    path = write(tmp_path / "episode_0007", task)
    expected = {"/observation": STEPS + 1, "/reward": STEPS + 1, "/executed_action": STEPS, "/episode": 1}
    with (path / "episode_0007.mcap").open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
        topics = {channel.topic: channel for channel in summary.channels.values()}
        counts = {
            topic: summary.statistics.channel_message_counts[channel.id] for topic, channel in topics.items()
        }
        assert counts == expected
        assert {channel.message_encoding for channel in topics.values()} == {"cdr"}
        assert {chunk.compression for chunk in summary.chunk_indexes} == {"zstd"}
        for channel in topics.values():
            schema = summary.schemas[channel.schema_id]
            assert schema.encoding == "ros2msg"
            assert schema.name.startswith("hilserl_msgs/msg/")
            assert b"std_msgs/Header header" in schema.data
            assert "transient_local" in channel.metadata["offered_qos_profiles"]
        stamps = [message.log_time for _, _, message in reader.iter_messages()]
        assert stamps == sorted(stamps)
        assert len(stamps) == sum(expected.values())


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        (EpisodeSummary.OUTCOME_FAILURE, EpisodeSummary.TERMINATION_TIMEOUT, (False, True, "failure", 0)),
        (EpisodeSummary.OUTCOME_FAILURE, EpisodeSummary.TERMINATION_OPERATOR, (False, True, "failure", 0)),
        (EpisodeSummary.OUTCOME_UNLABELLED, EpisodeSummary.TERMINATION_FAULT, (False, True, "unlabelled", 0)),
    ],
)
def test_ends_of_an_episode(tmp_path, task, outcome, reason, expected):
    episode = read_episode(write(tmp_path / "e", task, outcome=outcome, reason=reason))
    assert (episode.terminated, episode.truncated, episode.outcome, episode.rewards[-1]) == expected


def test_the_operators_verdict_is_a_reward(tmp_path, task):
    """The person ended it with the success button although the classifier saw nothing."""
    path = tmp_path / "e"
    with EpisodeBagWriter(path, task) as writer:
        for topic, msg, stamp in messages(reason=EpisodeSummary.TERMINATION_OPERATOR):
            if topic == "/reward":
                msg.success = False
            writer.write(topic, msg, stamp)
    assert read_episode(path).rewards.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("gate", ["person", "both"])
def test_where_a_person_decides_the_classifier_gives_no_reward(tmp_path, task, gate):
    """Its false alarms before the button are not rewards, and no reward is needed at all."""
    for name, rewarded in (("with", True), ("without", False)):
        with EpisodeBagWriter(tmp_path / name, task, {"gate": gate}) as writer:
            for topic, msg, stamp in messages(reason=EpisodeSummary.TERMINATION_OPERATOR):
                if topic == "/reward":
                    msg.success = True
                if rewarded or topic != "/reward":
                    writer.write(topic, msg, stamp)
        assert read_episode(tmp_path / name).rewards.tolist() == [0, 0, 0, 1]


def test_a_library_that_is_missing_or_unknown_is_named(monkeypatch):
    for wrong in ("rosbag9", "rosbag2_py"):
        monkeypatch.setenv(bag_storage.CHOICE, wrong)
        monkeypatch.setattr(bag_storage, "available", lambda name: name == "rosbags")
        with pytest.raises(BagError, match=f"{wrong} must be installed"):
            bag_storage.library()


def test_messages_that_are_lost_on_the_way_to_the_disk_are_noticed(tmp_path, task):
    writer = EpisodeBagWriter(tmp_path / "e", task)
    for topic, msg, stamp in messages():
        writer.write(topic, msg, stamp)
    writer._counts["/reward"] += 1
    with pytest.raises(BagError, match="not writable: read back"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_missing_parts_are_named():
    assert missing_parts(2, [0, 1, 2], [0, 1], [0, 1, 2]) == ""
    assert missing_parts(2, [0, 1, 2], [0, 1], [1, 2]) == ""  # the first observation needs no judgement
    assert missing_parts(2, [0, 1, 2], [0, 1], None) == ""
    assert missing_parts(2, [0, 2], [0], [1]) == (
        "observation of steps [1]; executed_action of steps [1]; reward of steps [2]"
    )


@pytest.mark.parametrize("lost", ["/observation", "/executed_action", "/reward"])
def test_reading_an_episode_with_a_gap_names_topic_and_step(tmp_path, task, lost):
    path = write(tmp_path / "e", task, skip=lambda topic, msg: topic == lost and msg.step == 2)
    with pytest.raises(BagError, match=rf"{lost[1:]} of steps \[2\]"):
        read_episode(path)


def test_reading_a_bag_without_a_summary(tmp_path, task):
    path = write(tmp_path / "e", task, skip=lambda topic, msg: topic == "/episode")
    with pytest.raises(BagError, match="no message on topic 'episode'"):
        read_episode(path)


def test_episodes_come_in_order_and_unfinished_ones_are_skipped(tmp_path, task):
    for number, steps in ((2, 5), (0, 3), (1, 4)):
        write(tmp_path / f"episode_{number:04d}", task, steps=steps)
    unfinished = EpisodeBagWriter(tmp_path / "episode_0003", task)
    assert [episode.steps for episode in read_episodes(tmp_path)] == [3, 4, 5]
    unfinished.abort()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"episode_{k:04d}" for k in range(3)]


def test_nothing_carries_the_name_before_it_is_complete(tmp_path, task):
    writer = EpisodeBagWriter(tmp_path / "episode_0000", task)
    writer.write("/observation", observation(0, np.random.default_rng(0)), 1)
    assert not (tmp_path / "episode_0000").exists()
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["episode_0000"]
    with pytest.raises(BagError, match="is closed"):
        writer.write("/observation", observation(1, np.random.default_rng(0)), 2)


def test_an_existing_bag_is_never_overwritten(tmp_path, task):
    write(tmp_path / "e", task)
    with pytest.raises(BagError, match="exists already"):
        EpisodeBagWriter(tmp_path / "e", task)


def test_missing_folder_and_missing_bag(tmp_path):
    with pytest.raises(BagError, match=r"folder .*nowhere does not exist"):
        read_episodes(tmp_path / "nowhere")
    with pytest.raises(BagError, match="nowhere: does not exist"):
        read_episode(tmp_path / "nowhere")


def damage_cut(path):
    file = next(path.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def damage_no_metadata(path):
    (path / "metadata.yaml").unlink()


def damage_metadata(path):
    (path / "metadata.yaml").write_text("rosbag2_bagfile_information: [1, 2")


def damage_no_file(path):
    next(path.glob("*.mcap")).unlink()


def damage_empty(path):
    next(path.glob("*.mcap")).write_bytes(b"")


def damage_chunk(path):
    file = next(path.glob("*.mcap"))
    data = bytearray(file.read_bytes())
    start = data.index(b"\x28\xb5\x2f\xfd")  # magic number of zstd
    data[start : start + 200] = bytes(200)
    file.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "damage",
    [damage_cut, damage_no_metadata, damage_metadata, damage_no_file, damage_empty, damage_chunk],
)
def test_a_damaged_bag_is_named(tmp_path, task, damage):
    path = write(tmp_path / "episode_0000", task)
    damage(path)
    with pytest.raises(BagError, match="episode_0000: unreadable"):
        read_episodes(tmp_path)


def test_a_bag_of_an_older_version_is_read_with_its_own_definitions(tmp_path, task, library, monkeypatch):
    """Reward without probability and model: the definitions in the bag decide, not the installed ones."""
    older = get_types_from_msg(
        "std_msgs/Header header\nuint32 episode\nuint32 step\nbool success\n", "hilserl_msgs/msg/Reward"
    )
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(older)
    header = store.types["std_msgs/msg/Header"](
        stamp=store.types["builtin_interfaces/msg/Time"](sec=0, nanosec=0), frame_id=""
    )
    path = tmp_path / "e"
    monkeypatch.setenv(bag_storage.CHOICE, "rosbags")  # the other library writes installed types only
    with EpisodeBagWriter(path, task) as bag:
        for topic, msg, stamp in messages():
            if topic != "/reward":
                bag.write(topic, msg, stamp)
        library_writer = bag._opened()._writer
        old_topic = library_writer.add_connection("/reward", "hilserl_msgs/msg/Reward", typestore=store)
        for topic, msg, stamp in messages():
            if topic == "/reward":
                old = store.types["hilserl_msgs/msg/Reward"](
                    header=header, episode=3, step=msg.step, success=msg.success
                )
                library_writer.write(old_topic, stamp, store.serialize_cdr(old, "hilserl_msgs/msg/Reward"))
    monkeypatch.setenv(bag_storage.CHOICE, library)
    assert read_episode(path).rewards.tolist() == [0, 0, 0, 1]
    (reward,) = {type(m.message) for m in read_bag(path).messages if m.kind == "reward"}
    assert reward is Reward  # what an old bag says, in today's messages


def test_a_picture_of_wrong_size_is_named(tmp_path, task):
    path = tmp_path / "e"
    with EpisodeBagWriter(path, task) as writer:
        for topic, msg, stamp in messages():
            if topic == "/observation" and msg.step == 1:
                msg.images[1].height = 100
            writer.write(topic, msg, stamp)
    with pytest.raises(BagError, match="camera 'wrist_2', step 1"):
        read_episode(path)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ([], ""),
        (["cameras.0.name=wrist_2", "cameras.1.name=wrist_1"], r"cameras \['wrist_1', 'wrist_2'\], must be"),
        (["cameras.1.name=side"], r"cameras .*must be \['wrist_1', 'side'\]"),
        (["observation.image_size=96"], r"pictures \(2, 128, 128, 3\), must be \(2, 96, 96, 3\)"),
    ],
)
def test_an_episode_of_other_cameras_does_not_fit(tmp_path, task, changes, difference):
    episode = read_episode(write(tmp_path / "episode_0000", task))
    other = load_task(str(Path(__file__).parents[3] / "config/tasks/ram_insertion.yaml"), changes)
    if not changes:
        check_fits(episode, other)
        return
    with pytest.raises(BagError, match=f"episode_0000: does not fit task 'ram_insertion': {difference}"):
        check_fits(episode, other)


def test_full_disk_leaves_nothing_behind(tmp_path, task):
    """A file size limit makes the write fail as a full disk does; in a process of its own."""
    script = textwrap.dedent(
        f"""
        import resource, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_bags
        from hilserl_task import load_task
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        task = load_task({str(Path(__file__).parents[3] / "config/tasks/ram_insertion.yaml")!r})
        try:
            test_bags.write({str(tmp_path / "episode_0000")!r}, task, steps=30)
        except test_bags.BagError as error:
            print(error)
            sys.exit(7)
        """
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert result.returncode == 7, result.stderr
    assert "episode_0000: not writable" in result.stdout
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 200_000


def test_an_unwritable_place_is_named(task):
    with pytest.raises(BagError, match="/proc/nowhere/e: not writable"):
        EpisodeBagWriter("/proc/nowhere/e", task)


def test_types_come_from_the_installed_message_files():
    assert "hilserl_msgs/msg/Observation" in bag_types.typestore().fielddefs
