# SPDX-License-Identifier: Apache-2.0
from hilserl_rqt.discovery import Camera, graphs

OBSERVATION = "hilserl_msgs/msg/Observation"
STATUS = "hilserl_msgs/msg/TrainingStatus"
STATE = "hilserl_msgs/msg/CartesianControllerState"


def test_a_graph_without_namespace():
    found = graphs(
        [
            ("/observation", [OBSERVATION]),
            ("/learner/status", [STATUS]),
            ("/right/cartesian_controller/controller_state", [STATE]),
            ("/left/cartesian_controller/controller_state", [STATE]),
            ("/left/wrist/color/image_raw", ["sensor_msgs/msg/Image"]),
            ("/left/wrist/color/image_raw/compressed", ["sensor_msgs/msg/CompressedImage"]),
            ("/right/side/color/image_raw/compressed", ["sensor_msgs/msg/CompressedImage"]),
        ]
    )
    assert list(found) == ["/"]
    graph = found["/"]
    assert graph.learner == "/"
    assert graph.arms == ("left", "right")
    assert graph.cameras == (Camera("left", "wrist", True), Camera("right", "side", False))
    assert [camera.topic for camera in graph.cameras] == [
        "left/wrist/color/image_raw",
        "right/side/color/image_raw/compressed",
    ]
    assert graph.name("reward") == "/reward"


def test_two_robots_with_one_learner_above_them():
    found = graphs(
        [
            ("/robot_a/observation", [OBSERVATION]),
            ("/robot_b/observation", [OBSERVATION]),
            ("/learner/status", [STATUS]),
            ("/robot_b/arm/cartesian_controller/controller_state", [STATE]),
        ]
    )
    assert list(found) == ["/robot_a", "/robot_b"]
    assert found["/robot_a"].learner == found["/robot_b"].learner == "/"
    assert found["/robot_a"].arms == ()
    assert found["/robot_b"].arms == ("arm",)
    assert found["/robot_b"].learner_name("learner/save") == "/learner/save"


def test_a_learner_of_its_own_comes_first():
    found = graphs(
        [
            ("/a/observation", [OBSERVATION]),
            ("/a/learner/status", [STATUS]),
            ("/b/observation", [OBSERVATION]),
            ("/b/learner/status", [STATUS]),
        ]
    )
    assert {name: graph.learner for name, graph in found.items()} == {"/a": "/a", "/b": "/b"}


def test_the_same_name_with_another_type_is_no_graph():
    assert graphs([("/observation", ["std_msgs/msg/String"]), ("/chatter", [OBSERVATION])]) == {}


def test_a_learner_alone_is_shown_too():
    assert list(graphs([("/learner/status", [STATUS])])) == ["/"]


def test_the_nearest_learner_above_is_taken_among_several():
    found = graphs(
        [
            ("/a/observation", [OBSERVATION]),
            ("/a/learner/status", [STATUS]),
            ("/site/b/observation", [OBSERVATION]),
            ("/site/learner/status", [STATUS]),
            ("/learner/status", [STATUS]),
        ]
    )
    assert {name: graph.learner for name, graph in found.items()} == {"/a": "/a", "/site/b": "/site"}
