# SPDX-License-Identifier: Apache-2.0
"""Several robots, several arms, whole pictures: each test has graphs of its own."""

import yaml
from played_graph import PlayedGraph

from hilserl_msgs.msg import Action
from hilserl_rqt.dashboard import Dashboard
from hilserl_rqt.link import Link
from hilserl_rqt.qt import QtGui, QtWidgets
from hilserl_task import load_task

HUMAN = Action.SOURCE_HUMAN


def test_several_robots_with_several_arms(app, until):
    first = PlayedGraph("robot_a", arms=("left", "right"))
    second = PlayedGraph("robot_b", cameras=("top",))
    window = Dashboard(Link())
    window.resize(1280, 800)
    window.show()
    choice = window.findChild(QtWidgets.QComboBox)
    try:
        until(lambda: choice.count() == 2, "two robots")
        assert [choice.itemText(i) for i in range(2)] == ["/robot_a", "/robot_b"]

        def both(source):
            first.step(1, 1, source=source)
            second.step(2, 5)

        def arms():
            both(HUMAN)
            return list(window.link.listener.state.arms)

        until(lambda: arms() == ["left", "right"], "two arms")
        banner = window.findChild(QtWidgets.QFrame, "banner")

        def human():
            both(HUMAN)
            return banner.word.text() == "HUMAN"

        until(human, "the first robot's owner")
        lines = [label.text() for label in banner.findChildren(QtWidgets.QLabel)]
        assert lines[1:3] == ["arm 1: HUMAN", "arm 2: POLICY"]

        choice.setCurrentIndex(1)
        choice.activated.emit(1)

        def other():
            both(HUMAN)
            return window.chosen() == "/robot_b" and banner.word.text() == "POLICY"

        until(other, "the second robot's owner")
        until(window.bar.buttons["discard"].isEnabled, "its services")
        window.bar.buttons["discard"].click()
        until(lambda: second.asked, "an event at the second robot")
        assert first.asked == []
    finally:
        window.shut_down()
        first.close()
        second.close()


def test_crop_is_drawn_into_whole_pictures(app, until, tmp_path):
    task = load_task("ram_insertion").model_dump(mode="json")
    task["cameras"][0]["crop"] = {"left": 60, "top": 60, "right": 180, "bottom": 180}
    file = tmp_path / "cropped.yaml"
    file.write_text(yaml.safe_dump(task))
    graph = PlayedGraph(task=str(file))
    window = Dashboard(Link())
    window.resize(1280, 800)
    window.show()
    try:

        def shown():
            graph.step(1, 1, raw=True)
            state = window.link.listener.state
            return state.task is not None and "wrist_1" in state.raw and window._cameras._views

        until(shown, "raw pictures without an episode")
        view = window._cameras._views["wrist_1"]

        def cropped():
            graph.step(1, 1, raw=True)
            drawn = view.grab().toImage()
            side = min(drawn.width(), drawn.height() - 18)
            left = (drawn.width() - side) // 2
            edge = QtGui.QColor(drawn.pixel(left + side // 4, 18 + side // 2))
            return edge.red() > 200 and edge.green() > 200 and edge.blue() < 120

        until(cropped, "the yellow edge of the crop")
    finally:
        window.shut_down()
        graph.close()
