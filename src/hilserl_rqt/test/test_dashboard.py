# SPDX-License-Identifier: Apache-2.0
"""The widget without a screen, before graphs of real publishers and service servers."""

import time

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from played_graph import PlayedGraph

from hilserl_msgs.msg import Action, CartesianControllerState, EpisodeSummary
from hilserl_rqt.advice import NodeLine
from hilserl_rqt.dashboard import Dashboard
from hilserl_rqt.link import Link
from hilserl_rqt.qt import Qt, QtCore, QtGui, QtWidgets
from hilserl_rqt.state import GraphState
from hilserl_rqt.theme import BLUE, ORANGE

HUMAN, POLICY, HOLD = Action.SOURCE_HUMAN, Action.SOURCE_POLICY, Action.SOURCE_HOLD


class Stage:
    """A graph, and the dashboard that shows it."""

    def __init__(self, until, **graph):
        self.graph = PlayedGraph(**graph)
        self.link = Link()
        self.window = Dashboard(self.link)
        self.window.resize(1280, 800)
        self.window.show()
        self.until = until
        self.step = 0
        until(self._listens, "the dashboard to listen to the graph")

    def _listens(self):
        """Every service is found, and a step arrives."""
        self.play()
        state = self.state
        served = [key for key, ready in state.services.items() if ready]
        return len(served) >= 7 and state.intervention.message is not None and state.task is not None

    @property
    def state(self):
        return self.link.listener.state

    def play(self, **values):
        self.step += 1
        self.graph.step(3, self.step, **values)

    def sees(self, condition, what, **values):
        """Plays steps until the window shows something."""

        def holds():
            self.play(**values)
            return condition()

        self.until(holds, what)

    def texts(self):
        """Everything that labels of the window say."""
        return "\n".join(label.text() for label in self.window.findChildren(QtWidgets.QLabel))

    def says(self, text, **values):
        self.sees(lambda: text in self.texts(), f"'{text}'", **values)

    def press(self, key):
        self.window.bar.buttons[key].click()

    def close(self):
        self.window.shut_down()
        self.graph.close()


@pytest.fixture(scope="module")
def stage(app):
    stage = None

    def until(condition, what, timeout_s=30.0):
        deadline = time.monotonic() + timeout_s
        while not (result := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
            app.processEvents()
            time.sleep(0.02)
        return result

    stage = Stage(until, without=("evaluate",))
    yield stage
    stage.close()


def colour_at(widget, x, y):
    return QtGui.QColor(widget.grab().toImage().pixel(x, y)).name()


def test_the_owner_is_a_word_and_a_colour(stage):
    banner = stage.window.findChild(QtWidgets.QFrame, "banner")
    stage.sees(lambda: banner.word.text() == "HUMAN", "HUMAN", source=HUMAN)
    assert colour_at(banner, 8, 40) == ORANGE
    stage.sees(lambda: banner.word.text() == "POLICY", "POLICY", source=POLICY)
    assert colour_at(banner, 8, 40) == BLUE
    stage.sees(lambda: banner.word.text() == "HOLD", "HOLD", source=HOLD)


def test_task_reward_value_and_std_are_said(stage):
    stage.says("ram_insertion, lockstep")
    stage.says("(threshold 0.95)")
    stage.says("critics")
    stage.says("(axes 0.")


def test_pictures_show_what_the_policy_sees(stage):
    stage.sees(lambda: set(stage.state.seen) == {"wrist_1", "wrist_2"}, "two pictures")
    views = stage.window.findChildren(QtWidgets.QWidget)
    views = [view for view in views if type(view).__name__ == "CameraView"]
    assert len(views) == 2
    drawn = views[1].grab().toImage()
    # The marker of the second camera, at 0.42 of the picture's width and height, below the line of text.
    side = min(drawn.width(), drawn.height() - 18)
    left = (drawn.width() - side) // 2
    colour = QtGui.QColor(drawn.pixel(left + int(0.42 * side), 18 + int(0.42 * side)))
    assert (colour.red(), colour.green(), colour.blue()) == (230, 160, 130)


def test_limits_say_which_axis_and_which_rule(stage):
    flags = [0, 0, CartesianControllerState.LIMIT_WORKSPACE, 0, 0, 0]
    joints = [0, 0, CartesianControllerState.JOINT_LIMIT_EFFORT, 0, 0, 0, 0]
    stage.says("limits touched: z box, joint 3 effort", limit_flags=flags, joint_limit_flags=joints)


def test_learner_coach_and_diagnostics(stage):
    stage.graph.status()
    stage.says("23.4 updates/s, 10 778 in all")
    stage.graph.advise(2, "Step in earlier.")
    stage.says("▲ Step in earlier.")
    stage.graph.warn("learner", "updates are slow", updates_per_s=3)
    stage.graph.warn("actor", "no policy", level=DiagnosticStatus.ERROR)
    stage.says("1 error, 1 warning in 5 min")


def test_episodes_fill_the_table_and_the_tiles(stage):
    for number in range(4):
        stage.graph.episode(number, outcome=2 if number == 1 else 1)
    table = stage.window._episodes.table
    stage.sees(lambda: table.rowCount() == 4, "four rows")
    assert [table.item(row, 0).text() for row in range(4)] == ["3", "2", "1", "0"]
    assert table.item(2, 1).text() == "✘ failure"
    stage.says("75 %")


def test_a_label_is_corrected_through_the_service(stage):
    panel = stage.window._episodes
    stage.graph.episode(7, outcome=EpisodeSummary.OUTCOME_SUCCESS)
    stage.sees(lambda: panel.table.rowCount() and panel.table.item(0, 0).text() == "7", "episode 7")
    assert not panel.buttons["failure"].isEnabled()
    panel.table.selectRow(0)
    stage.sees(panel.buttons["failure"].isEnabled, "the button")
    panel.buttons["failure"].click()
    stage.sees(lambda: panel.table.item(0, 1).text() == "✘ failure (was success)", "the corrected label")
    key, request = stage.graph.asked[-1]
    assert (key, request.episode, request.outcome) == ("correct", 7, EpisodeSummary.OUTCOME_FAILURE)


@pytest.mark.parametrize(
    ("button", "key", "value"),
    [
        ("success", "operator_event", Action.EVENT_SUCCESS),
        ("failure", "operator_event", Action.EVENT_FAILURE),
        ("discard", "operator_event", Action.EVENT_DISCARD),
        ("interventions", "set_enabled", False),
        ("save", "save", None),
        ("pause_learner", "pause_learner", None),
    ],
)
def test_buttons_call_their_services(stage, button, key, value):
    before = len(stage.graph.asked)
    stage.press(button)
    stage.sees(lambda: len(stage.graph.asked) > before, f"a call of {key}")
    asked, request = stage.graph.asked[-1]
    assert asked == key
    if value is not None:
        assert getattr(request, "event", getattr(request, "data", None)) == value
    stage.says(f"{key} done")


def test_pausing_the_robot_is_shown_when_the_actor_has_agreed(stage):
    button = stage.window.bar.buttons["pause_robot"]
    stage.graph.refuse = "an episode is being reset"
    stage.press("pause_robot")
    stage.says("REFUSED: an episode is being reset")
    assert not button.isChecked()
    stage.graph.refuse = ""
    stage.press("pause_robot")
    stage.sees(lambda: button.isChecked() and button.text() == "Resume robot", "paused")
    stage.press("pause_robot")
    stage.sees(lambda: button.text() == "Pause robot", "resumed")
    assert [request.data for key, request in stage.graph.asked if key == "pause_actor"] == [True, True, False]


def test_a_paused_learner_is_resumed(stage):
    button = stage.window.bar.buttons["pause_learner"]

    def paused():
        stage.graph.status(state="paused", reason="a person wants it")
        return button.text() == "Resume learning"

    stage.sees(paused, "Resume learning")
    stage.press("pause_learner")
    stage.sees(lambda: stage.graph.asked[-1][0] == "resume_learner", "resume")


def test_a_missing_service_says_which_node_is_missing(stage):
    button = stage.window.bar.buttons["evaluate"]
    assert not button.isEnabled()
    assert "actor" in button.toolTip()
    assert "/actor/evaluate" in button.toolTip()


def test_whole_pictures_are_subscribed_to_only_while_shown(stage):
    box = stage.window._cameras.whole
    stage.sees(lambda: not stage.link.listener._raw_feeds, "no raw subscription")
    box.setChecked(True)
    stage.sees(lambda: set(stage.state.raw) == {"wrist_1", "wrist_2"}, "whole pictures")
    assert stage.state.raw["wrist_1"].pixels.shape == (240, 240, 3)
    box.setChecked(False)
    stage.sees(lambda: not stage.link.listener._raw_feeds, "no raw subscription any more")


def test_no_text_is_cut_and_nothing_overlaps(stage, app):
    """At the smallest and a common size: every label has the room that its text needs."""
    rates = {"success_rate": 1.0, "intervention_rate": 0.125, "cycle_time_s": 12.3}
    stage.graph.status(episodes=200, **rates)
    stage.says("of steps, last 20 episodes")
    for size in ((1280, 800), (1920, 1080)):
        stage.window.resize(*size)
        stage.sees(lambda: True, "a new size")
        app.processEvents()
        assert (stage.window.width(), stage.window.height()) == size
        for button in stage.window.findChildren(QtWidgets.QPushButton):
            assert button.width() >= button.fontMetrics().horizontalAdvance(button.text()), button.text()
        for label in stage.window.findChildren(QtWidgets.QLabel):
            if (
                label.isVisible()
                and label.textFormat() != Qt.TextFormat.RichText
                and label.wordWrap() is False
            ):
                needed = label.fontMetrics().horizontalAdvance(label.text())
                assert label.width() + 2 >= needed or label.text().endswith("…"), (size, label.text())
        panels = [p for p in stage.window.findChildren(QtWidgets.QFrame, "panel") if p.isVisible()]
        boxes = [QtCore.QRect(panel.mapTo(stage.window, QtCore.QPoint()), panel.size()) for panel in panels]
        for i, box in enumerate(boxes):
            assert not any(box.intersects(other) for other in boxes[i + 1 :])


def test_names_of_many_nodes_end_where_the_window_ends(app):
    line = NodeLine()
    line.show()
    names = ["actor", "learner", *(f"a_node_with_a_long_name_{i}" for i in range(9))]
    for dead in ((), ("learner",)):
        state = GraphState(None)
        state.nodes = {f"/{name}": name not in dead for name in names}
        line.refresh(state, 0.0)
        for width in (700, 400):
            line.resize(width, 24)
            document = QtGui.QTextDocument()
            document.setDefaultFont(line.font())
            document.setHtml(line.text())
            assert document.idealWidth() <= width + 2 * document.documentMargin()
            plain = document.toPlainText()
            assert plain.endswith("…")
            assert f"{11 - len(dead)} nodes alive: actor" in plain
            assert plain.startswith("✘ learner DEAD") == bool(dead)


def test_before_a_graph_starts_the_banner_says_all(app):
    link = Link()
    window = Dashboard(link)
    window.resize(1280, 800)
    window.show()
    window.refresh()
    app.processEvents()
    banner = window.findChild(QtWidgets.QFrame, "banner")
    shown = [label.text() for label in banner.findChildren(QtWidgets.QLabel) if label.isVisible()]
    window.shut_down()
    assert shown[0] == "NO DATA"
    assert " ".join(shown[1:]) == "nothing heard from the mux"


def test_silence_is_stale_and_a_dead_node_is_dead(stage, until):
    banner = stage.window.findChild(QtWidgets.QFrame, "banner")
    until(lambda: banner.word.text() == "STALE", "a stale owner")
    until(lambda: "STALE: " in stage.texts(), "stale figures")
    stage.graph.kill("learner")
    until(lambda: "✘ learner DEAD" in stage.texts(), "a dead learner", 30)
    until(lambda: not stage.window.bar.buttons["save"].isEnabled(), "save out of reach", 30)
    assert "learner" in stage.window.bar.buttons["save"].toolTip()
