# SPDX-License-Identifier: Apache-2.0
import pytest
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible, qos_profile_sensor_data
from std_msgs.msg import UInt32

from hilserl_msgs.msg import Action, EpisodeSummary
from hilserl_ros import names, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import load_task

PROFILES = {
    name: value for name, value in vars(qos).items() if isinstance(value, QoSProfile) and name.isupper()
}


def works(publisher: QoSProfile, subscriber: QoSProfile) -> bool:
    return qos_check_compatible(publisher, subscriber)[0] != QoSCompatibility.ERROR


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_works_with_itself(name):
    assert works(PROFILES[name], PROFILES[name])


@pytest.mark.parametrize("name", ["OBSERVATION", "EXECUTED_ACTION", "REWARD", "EPISODE"])
def test_the_recorder_can_read_what_it_records(name):
    assert works(PROFILES[name], qos.RECORDER)


def test_stock_camera_drivers_and_viewers_drop_in():
    assert works(qos_profile_sensor_data, qos.sensor("realtime"))
    for pacing in ("lockstep", "realtime"):
        assert works(qos.sensor(pacing), qos.sensor(pacing))
        assert works(qos.sensor(pacing), qos_profile_sensor_data)


def test_the_stock_spacenav_driver_drops_in():
    assert works(QoSProfile(depth=10), qos.TELEOP)


def test_camera_topic_is_the_task_files():
    for camera in load_task("ram_insertion").cameras:
        assert topics.camera_image(camera.arm, camera.name) == camera.topic


def test_names_are_relative_so_that_a_graph_fits_into_a_namespace():
    names = [value for name, value in vars(topics).items() if name.isupper() and name != "DIAGNOSTICS"]
    names += [topics.controller_target("left"), topics.gripper_command("right")]
    assert all(not name.startswith("/") for name in names)


def test_a_late_subscriber_still_gets_every_chunk_of_a_policy():
    with RosGraph() as graph:
        early, late = graph.peer("early"), graph.peer("late")
        publisher = early.create_publisher(UInt32, "chunks", qos.POLICY)
        for chunk in range(32):
            publisher.publish(UInt32(data=chunk))
        received = late.collect(UInt32, "chunks", qos.POLICY)
        graph.spin_until(lambda: len(received) == 32, what="32 chunks")
        assert [message.data for message in received] == list(range(32))


def test_only_the_newest_command_waits():
    with RosGraph() as graph:
        sender, receiver = graph.peer("sender"), graph.peer("receiver")
        publisher = sender.create_publisher(Action, topics.POLICY_ACTION, qos.POLICY_ACTION)
        received = receiver.collect(Action, topics.POLICY_ACTION, qos.POLICY_ACTION)
        graph.spin_until(publisher.get_subscription_count, what="subscriber")
        for step in range(5):
            publisher.publish(Action(step=step))
        graph.spin_until(lambda: received and received[-1].step == 4, what="the newest command")
        graph.spin_for(0.2)
        assert len(received) < 5


def test_words_for_numbers_are_those_of_the_messages():
    for message, prefix, words in [
        (EpisodeSummary, "OUTCOME_", names.OUTCOMES),
        (EpisodeSummary, "TERMINATION_", names.TERMINATION_REASONS),
        (Action, "SOURCE_", names.SOURCES),
    ]:
        constants = {name: getattr(message, name) for name in dir(message) if name.startswith(prefix)}
        assert constants == {prefix + word.upper(): number for number, word in enumerate(words)}
