# SPDX-License-Identifier: Apache-2.0
"""The node with real ROS: what a simulator, a robot and an actor would see of it."""

from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock as ClockOfTheWall
from rclpy.clock import ClockType
from rosgraph_msgs.msg import Clock
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CompressedImage, Image, JointState

from hilserl_msgs.msg import CartesianControllerState, Observation
from hilserl_msgs.srv import BeginEpisode
from hilserl_observation.observation import ObservationNode
from hilserl_ros import codec, qos, topics
from hilserl_ros.image_transport import compressed_image
from hilserl_ros.testing import RosGraph

TASK = str(Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml")
PERIOD_NS = 100_000_000
START_NS = 1_000_000_000
ZEROS = (0.0,) * 6
CAMERAS = ("wrist_1", "wrist_2")


class Sensors:
    """The test's robot: two cameras and an arm, in the given pacing."""

    def __init__(self, graph: RosGraph, pacing: str = "lockstep", only: tuple[str, ...] = CAMERAS) -> None:
        self.graph = graph
        self.peer = peer = graph.peer()
        profile = qos.sensor(pacing)
        self.cameras = {
            name: peer.create_publisher(Image, topics.camera_image("arm", name), profile) for name in only
        }
        self.arm = peer.create_publisher(CartesianControllerState, topics.controller_state("arm"), profile)
        self.gripper = peer.create_publisher(JointState, topics.gripper_state("arm"), profile)
        self.observations = peer.collect(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self.diagnostics = peer.collect(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)
        self.client = peer.create_client(BeginEpisode, topics.BEGIN_EPISODE)
        for publisher in (*self.cameras.values(), self.arm, self.gripper):
            graph.spin_until(publisher.get_subscription_count, what=publisher.topic_name)
        graph.connect(peer, {topics.OBSERVATION: "publisher", topics.DIAGNOSTICS: "publisher"})

    def picture(self, name: str, stamp_ns: int, value: int = 0, size: int = 128) -> None:
        pixels = np.full((size, size, 3), value, np.uint8)
        self.cameras[name].publish(codec.image_from_array(pixels, stamp_ns, name))

    def state(self, stamp_ns: int, x: float = 0.5, twist=ZEROS, wrench=ZEROS) -> None:
        base_T_tcp = np.eye(4)
        base_T_tcp[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
        base_T_tcp[:3, 3] = (x, 0.1, 0.2)
        message = CartesianControllerState(
            header=codec.header(stamp_ns, "panda_link0"),
            pose=codec.pose_from_matrix(base_T_tcp),
            twist=codec.twist_from_vector(twist),
            external_wrench=codec.wrench_from_vector(wrench),
            joint_position=codec.floats64(np.arange(7)),
            joint_velocity=codec.floats64(np.zeros(7)),
        )
        self.arm.publish(message)

    def everything(self, stamp_ns: int, x: float = 0.5, value: int = 0) -> None:
        for name in CAMERAS:
            self.picture(name, stamp_ns, value)
        self.state(stamp_ns, x)

    def begin(self, episode: int, not_before_ns: int):
        request = BeginEpisode.Request(episode=episode, not_before=codec.stamp_from_ns(not_before_ns))
        return self.graph.call(self.client, request)

    def wait_for(self, count: int) -> None:
        self.graph.spin_until(lambda: len(self.observations) >= count, what=f"{count} observations")

    def wait_for_diagnostic(self, *words: str) -> str:
        def found() -> str | None:
            for status in (status for array in self.diagnostics for status in array.status):
                text = " ".join(
                    [status.name, status.message, *(f"{fact.key} {fact.value}" for fact in status.values)]
                )
                if all(word in text for word in words):
                    return text
            return None

        return self.graph.spin_until(found, what=f"diagnostic with {words}")


def test_lockstep_observations_carry_what_was_sensed():
    with RosGraph(task=TASK) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph)
        sensors.gripper.publish(JointState(position=[0.25]))
        sensors.everything(START_NS, value=1)
        reply = sensors.begin(7, START_NS)
        assert reply.accepted
        assert reply.message == ""
        sensors.picture("wrist_2", START_NS + PERIOD_NS, 22)
        sensors.state(START_NS + PERIOD_NS, 0.53, twist=(1, 0, 0, 0, 0, 3), wrench=(4, 5, 6, 7, 8, 9))
        sensors.picture("wrist_1", START_NS + PERIOD_NS, 11)
        sensors.wait_for(2)
        first, second = sensors.observations
        assert [(o.episode, o.step) for o in (first, second)] == [(7, 0), (7, 1)]
        assert codec.ns_from_stamp(second.header.stamp) == START_NS + PERIOD_NS
        assert second.camera_names == list(CAMERAS)
        pictures = codec.images_of_observation(second)
        assert (pictures[0] == 11).all()
        assert (pictures[1] == 22).all()
        (arm,) = second.arms
        assert arm.name == "arm"
        assert arm.gripper_position == 0.25
        assert codec.matrix_from_pose(arm.start_pose)[0, 3] == pytest.approx(0.5)
        assert list(arm.joint_position) == list(range(7))
        # 3 cm along base x, seen from a tcp turned by 90 degrees about z: -y. The wrench is in the tcp frame.
        expected = [0, -0.03, 0, 0, 0, 0, 0, -1, 0, 0, 0, 3, 4, 5, 6, 7, 8, 9]
        np.testing.assert_allclose(second.state, expected, atol=1e-6)
        np.testing.assert_allclose(first.state, np.zeros(18), atol=1e-6)


def test_between_episodes_nothing_is_published_and_steps_begin_anew():
    with RosGraph(task=TASK) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph)
        sensors.everything(START_NS)
        sensors.begin(0, START_NS)
        reset_ns = START_NS + 5 * PERIOD_NS
        sensors.everything(reset_ns, x=0.6)
        graph.spin_for(0.3)
        assert len(sensors.observations) == 1
        assert sensors.begin(1, reset_ns).accepted
        sensors.wait_for(2)
        assert (sensors.observations[1].episode, sensors.observations[1].step) == (1, 0)
        assert codec.matrix_from_pose(sensors.observations[1].arms[0].start_pose)[0, 3] == pytest.approx(0.6)


def test_begin_waits_for_step_0_and_then_accepts():
    with RosGraph(task=TASK) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph)
        graph.spin_until(sensors.client.service_is_ready, what="service")
        not_before = Time(sec=1)
        future = sensors.client.call_async(BeginEpisode.Request(episode=4, not_before=not_before))
        graph.spin_for(0.3)
        assert not future.done()
        sensors.everything(START_NS - PERIOD_NS)  # from before the reset
        sensors.everything(START_NS)
        graph.spin_until(future.done, what="answer")
        assert future.result().accepted
        sensors.wait_for(1)
        assert codec.ns_from_stamp(sensors.observations[0].header.stamp) == START_NS


@pytest.mark.parametrize("pacing", ["lockstep", "realtime"])
def test_a_dead_camera_is_named_and_fails_begin(pacing):
    with RosGraph(task=TASK, overrides=[f"pacing={pacing}"], begin_timeout_s=1.5) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph, pacing)
        stamp = START_NS if pacing == "lockstep" else sensors.peer.get_clock().now().nanoseconds
        sensors.picture("wrist_2", stamp)
        sensors.state(stamp)
        reply = sensors.begin(0, stamp)
        assert not reply.accepted
        assert "arm/wrist_1/color/image_raw" in reply.message
        assert "1.5 s" in reply.message
        sensors.wait_for_diagnostic("arm/wrist_1/color/image_raw")
        assert not sensors.observations


def test_lockstep_names_the_part_lost_in_the_middle_of_an_episode():
    with RosGraph(task=TASK) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph)
        sensors.everything(START_NS)
        assert sensors.begin(0, START_NS).accepted
        graph.spin_for(1.5)
        levels = [status.level for array in sensors.diagnostics for status in array.status]
        assert set(levels) == {DiagnosticStatus.OK}  # waiting for an actor is no fault
        sensors.picture("wrist_1", START_NS + PERIOD_NS)
        sensors.state(START_NS + PERIOD_NS)
        assert "wrist_1" not in sensors.wait_for_diagnostic("overdue", "arm/wrist_2/color/image_raw")


def test_unusable_parts_are_refused_by_name_and_value():
    with RosGraph(task=TASK) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph)
        image = codec.image_from_array(np.zeros((128, 128, 3), np.uint8), START_NS)
        image.encoding = "nonsense"
        sensors.cameras["wrist_1"].publish(image)
        sensors.wait_for_diagnostic("camera 'wrist_1'", "nonsense")
        image.encoding, image.height = "rgb8", 127
        sensors.cameras["wrist_2"].publish(image)
        sensors.wait_for_diagnostic("camera 'wrist_2'", "128 x 127")
        broken = CartesianControllerState(header=codec.header(START_NS))
        broken.pose.position.z = float("nan")
        sensors.arm.publish(broken)
        sensors.wait_for_diagnostic("arm 'arm'", "nan")
        sensors.gripper.publish(JointState(position=[float("inf")]))
        sensors.wait_for_diagnostic("gripper of arm 'arm'", "inf")
        # The good ones of the same moment make the set complete.
        sensors.everything(START_NS)
        assert sensors.begin(0, START_NS).accepted


def test_large_pictures_come_out_small():
    with RosGraph(
        task=TASK, overrides=["cameras.0.crop={left: 0, top: 0, right: 200, bottom: 200}"]
    ) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph)
        sensors.picture("wrist_1", START_NS, 5, size=256)
        sensors.picture("wrist_2", START_NS, 6, size=256)
        sensors.state(START_NS)
        assert sensors.begin(0, START_NS).accepted
        sensors.wait_for(1)
        assert codec.images_of_observation(sensors.observations[0]).shape == (2, 128, 128, 3)


def test_realtime_observations_come_once_a_period_and_stop_with_stale_data():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph, "realtime")
        clock = sensors.peer.get_clock()
        not_before = clock.now().nanoseconds
        timer = sensors.peer.create_timer(0.03, lambda: sensors.everything(clock.now().nanoseconds))
        assert sensors.begin(2, not_before).accepted
        sensors.wait_for(6)
        steps = [o.step for o in sensors.observations]
        assert steps == list(range(len(steps)))
        stamps = [codec.ns_from_stamp(o.header.stamp) for o in sensors.observations]
        assert stamps[0] >= not_before
        # Mean distance: a loaded machine may shift single ones.
        assert np.mean(np.diff(stamps)) == pytest.approx(PERIOD_NS, rel=0.3)
        sensors.wait_for_diagnostic("observation: matching", "spread_ms")
        timer.cancel()
        sensors.wait_for_diagnostic("overdue", "s old")
        count = len(sensors.observations)
        graph.spin_for(0.4)
        assert len(sensors.observations) == count


def test_compressed_pictures_are_taken_where_the_task_says_so():
    """Robot PC and learner PC apart: the node listens to JPEG or PNG, in image_transport's naming."""
    overrides = ["scene=null", "pacing=realtime", "operator.kind=spacenav", "cameras.0.transport=compressed"]
    with RosGraph(task=TASK, overrides=overrides) as graph:
        graph.add(ObservationNode)
        peer = graph.peer()
        topic = topics.camera_image("arm", "wrist_1") + "/compressed"
        publisher = peer.create_publisher(CompressedImage, topic, qos.sensor("realtime"))
        graph.spin_until(publisher.get_subscription_count, what="subscriber of the compressed topic")
        pixels = np.zeros((96, 128, 3), np.uint8)
        pixels[..., 0] = 200
        sensors = Sensors(graph, "realtime", only=("wrist_2",))
        clock = peer.get_clock()

        def everything() -> None:
            now = clock.now().nanoseconds
            publisher.publish(compressed_image(pixels, now, "f", "png"))
            sensors.picture("wrist_2", now, 7)
            sensors.state(now)

        peer.create_timer(0.03, everything)
        publisher.publish(CompressedImage(format="rgb8; jpeg compressed bgr8", data=b"broken"))
        sensors.wait_for_diagnostic("camera 'wrist_1'", "6 bytes", "no JPEG or PNG")
        assert sensors.begin(0, clock.now().nanoseconds).accepted
        sensors.wait_for(1)
        pictures = codec.images_of_observation(sensors.observations[0])
        assert pictures.shape == (2, 128, 128, 3)
        assert (pictures[0] == (200, 0, 0)).all()
        assert (pictures[1] == 7).all()


def test_every_source_reports_rate_age_and_what_it_lost():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph, "realtime")
        clock = sensors.peer.get_clock()
        count = 0

        def publish() -> None:
            """Each eighth picture of the first camera is lost; the second has a late and an empty one."""
            nonlocal count
            count += 1
            now = clock.now().nanoseconds
            if count % 8:
                sensors.picture("wrist_1", count * 50_000_000 + started)
            sensors.picture(
                "wrist_2", now - (300_000_000 if count == 5 else 0), size=0 if count == 7 else 128
            )
            sensors.state(now)

        started = clock.now().nanoseconds
        sensors.peer.create_timer(0.05, publish)
        first = sensors.wait_for_diagnostic("observation: arm/wrist_1", "lost 1", "rate_hz", "age_ms")
        second = sensors.wait_for_diagnostic("observation: arm/wrist_2", "late 1", "refused 1")
        third = sensors.wait_for_diagnostic("observation: arm/cartesian_controller", "late 0", "refused 0")
        assert "late 0" in first
        assert "clock_jumps 0" in first
        assert "received 0" not in second + third


def test_realtime_goes_on_when_ros_time_is_set_back():
    """ROS time goes back by three seconds; the steps of the running episode must not stop for so long."""
    with RosGraph(task=TASK, overrides=["pacing=realtime"], use_sim_time=True) as graph:
        graph.add(ObservationNode)
        sensors = Sensors(graph, "realtime")
        clock = sensors.peer.create_publisher(Clock, "/clock", 10)
        now_ns, watch = 100_000_000_000, ClockOfTheWall(clock_type=ClockType.STEADY_TIME)

        def advance() -> None:
            nonlocal now_ns
            now_ns += 30_000_000
            clock.publish(Clock(clock=codec.stamp_from_ns(now_ns)))
            sensors.everything(now_ns)

        sensors.peer.create_timer(0.03, advance, clock=watch)
        assert sensors.begin(0, now_ns).accepted
        sensors.wait_for(3)
        now_ns -= 3_000_000_000
        sensors.wait_for_diagnostic("arm/wrist_1/color/image_raw: its clock jumped")
        count = len(sensors.observations)
        sensors.wait_for(count + 3)
        assert [o.step for o in sensors.observations] == list(range(len(sensors.observations)))
        assert codec.ns_from_stamp(sensors.observations[-1].header.stamp) < now_ns + 30_000_000
        assert now_ns < 100_000_000_000
