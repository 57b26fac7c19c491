# SPDX-License-Identifier: Apache-2.0
"""The widget that both hosts show: rqt's plugin and the stand-alone program."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import Any

from hilserl_msgs.srv import CorrectEpisode
from hilserl_ros.names import OUTCOMES
from hilserl_rqt import commands, words
from hilserl_rqt.advice import CoachPanel, NodeLine, ProblemPanel
from hilserl_rqt.arms import ArmPanel
from hilserl_rqt.banner import OwnerBanner
from hilserl_rqt.buttons import ButtonBar
from hilserl_rqt.cameras import CameraPanel
from hilserl_rqt.commands import Command
from hilserl_rqt.episode_table import EpisodePanel
from hilserl_rqt.learner import LearnerPanel
from hilserl_rqt.link import Link
from hilserl_rqt.panels import ElidedLabel, Tile
from hilserl_rqt.plots import PlotPanel
from hilserl_rqt.qt import QtCore, QtWidgets
from hilserl_rqt.state import GraphState
from hilserl_rqt.theme import STYLE

REFRESH_MS = 200


class Dashboard(QtWidgets.QWidget):
    """Shows the graph that a Link listens to.

    Args:
        link: closed together with this widget.

    Attributes:
        link: in use now.
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.setObjectName("dashboard")
        self.setWindowTitle("hilserl dashboard")
        self.setStyleSheet(STYLE)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_StyledBackground, True)
        self.link = link
        self._where = ""
        self._answers: SimpleQueue[tuple[GraphState, Command, Any, str, bool, str]] = SimpleQueue()
        self._make_panels()
        self._arrange()
        self._connect()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)
        self.refresh()

    # --- for the hosts --------------------------------------------------------------------------

    def use(self, link: Link, where: str = "") -> None:
        """Listens elsewhere from now on: the next phase of a run lives in another ROS domain.

        Args:
            link: replaces the one in use, which is closed.
            where: said beside the name of the graph.
        """
        earlier, self.link = self.link, link
        self.say_where(where)
        earlier.close()
        link.listener.show_raw(self._cameras.whole.isChecked())

    def say_where(self, where: str) -> None:
        """Words about the run that is watched, or why there is none."""
        self._where = where

    def chosen(self) -> str:
        """Namespace of the graph that is shown; empty without one."""
        graph = self.link.listener.state.graph
        return graph.namespace if graph is not None else ""

    def shut_down(self) -> None:
        """Ends the timer and the link."""
        self._timer.stop()
        self.link.close()

    # --- making ---------------------------------------------------------------------------------

    def _make_panels(self) -> None:
        self._choice = QtWidgets.QComboBox()
        self._choice.setToolTip("Which robot's graph is shown")
        self._choice.setMinimumWidth(120)
        self._name, self._nodes = ElidedLabel("name"), NodeLine()
        self._banner = OwnerBanner()
        self._success, self._interventions = Tile("SUCCESS"), Tile("INTERVENTIONS")
        self._cycle, self._reward = Tile("CYCLE TIME"), Tile("REWARD")
        self._cameras, self._plots = CameraPanel(), PlotPanel()
        self._arms, self._learner = ArmPanel(), LearnerPanel()
        self._episodes, self._coach, self._problems = EpisodePanel(), CoachPanel(), ProblemPanel()
        self.bar = ButtonBar()

    def _arrange(self) -> None:
        """Head, who has the robot and how it goes, three columns, the buttons; from top to bottom."""
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(8, 6, 8, 8)
        outer.setSpacing(6)
        head = QtWidgets.QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._choice)
        head.addWidget(self._name, 2)
        head.addWidget(self._nodes, 3)
        outer.addLayout(head)
        outer.addLayout(
            _row(
                (self._banner, 5),
                (self._success, 2),
                (self._interventions, 2),
                (self._cycle, 2),
                (self._reward, 2),
            )
        )
        outer.addLayout(
            _row(
                (_column((self._cameras, 1), (self._episodes, 1)), 5),
                (_column((self._plots, 6), (self._coach, 0), (self._problems, 3)), 4),
                (_column((self._arms, 1), (self._learner, 0)), 4),
            ),
            1,
        )
        outer.addWidget(self.bar)

    def _connect(self) -> None:
        self._choice.activated.connect(lambda index: self.link.listener.choose(self._choice.itemText(index)))
        self._cameras.raw_wanted.connect(lambda wanted: self.link.listener.show_raw(wanted))
        self.bar.pressed.connect(self._ask)
        self._episodes.correction.connect(self._correct)

    # --- showing --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Shows what is known now."""
        self._take_answers()
        if not self.isVisible() and self._timer.isActive() and self._name.text():
            return
        state, now_s = self.link.listener.state, time.monotonic()
        with state.lock:
            self._show_head(state, now_s)
            self._show_tiles(state, now_s)
            for panel in (
                self._nodes,
                self._banner,
                self._cameras,
                self._plots,
                self._arms,
                self._learner,
                self._coach,
                self._problems,
                self.bar,
            ):
                panel.refresh(state, now_s)
            ready = state.services.get(commands.CORRECT.key, False)
            self._episodes.refresh(state, now_s, ready, commands.CORRECT.missing(state.graph))

    def _show_head(self, state: GraphState, now_s: float) -> None:
        names = list(self.link.listener.graphs)
        if [self._choice.itemText(i) for i in range(self._choice.count())] != names:
            self._choice.clear()
            self._choice.addItems(names)
        if state.graph is not None:
            self._choice.setCurrentIndex(self._choice.findText(state.graph.namespace))
        self._choice.setEnabled(len(names) > 1)
        place = f"domain {self.link.domain}"
        if self.link.failure:
            self._name.show_text(f"The dashboard's ROS thread has failed: {self.link.failure}")
        elif state.graph is None:
            self._name.show_text(", ".join(filter(None, ("no graph yet", self._where, place))))
        else:
            pacing = state.task.pacing if state.task is not None else "task unknown"
            name = self._where or (state.task.name if state.task is not None else state.graph.namespace)
            self._name.show_text(f"{name}, {pacing}, {place}")

    def _show_tiles(self, state: GraphState, now_s: float) -> None:
        running = state.episodes.running(state.status.fresh(now_s))
        last = f"last {words.plural(running.episodes, 'episode')}" if running.episodes else "no episode yet"
        self._success.show_figure(words.share(running.success), last)
        self._interventions.show_figure(words.share(running.interventions), f"of steps, {last}")
        self._cycle.show_figure(words.number(running.cycle_time_s, 1, "s"), "mean of successes")
        reward = state.reward.message
        if reward is None:
            self._reward.show_figure(words.UNKNOWN, "no data")
            return
        below = f"needs {words.number(reward.threshold)}"
        if state.reward.stale(now_s):
            below = f"STALE: {words.age(state.reward.age_s(now_s))}"
        elif reward.success:
            below = "✔ success"
        self._reward.show_figure(words.number(reward.probability), below)

    # --- asking ---------------------------------------------------------------------------------

    def _correct(self, episode: int, outcome: str) -> None:
        request = CorrectEpisode.Request(episode=episode, outcome=OUTCOMES.index(outcome))
        what = f"correct episode {episode} to {outcome}"
        self.bar.waiting(what)
        self._ask(commands.CORRECT, request, what)

    def _ask(self, command: Command, request: Any, what: str) -> None:
        """Passes a wish on; the answer comes back through a queue, into this thread."""
        listener = self.link.listener
        state = listener.state
        listener.ask(
            command,
            request,
            lambda accepted, text: self._answers.put((state, command, request, what, accepted, text)),
        )

    def _take_answers(self) -> None:
        while True:
            try:
                state, command, request, what, accepted, text = self._answers.get_nowait()
            except Empty:
                return
            verdict = "done" if accepted else "REFUSED"
            self.bar.said(
                accepted, f"{what}: {text or verdict}" if accepted else f"{what}: {verdict}: {text}"
            )
            if not accepted:
                continue
            with state.lock:
                if command is commands.PAUSE_ACTOR:
                    state.actor_paused = bool(request.data)
                elif command is commands.CORRECT:
                    state.episodes.correct(request.episode, OUTCOMES[request.outcome])


def _row(*parts: tuple[Any, int]) -> QtWidgets.QHBoxLayout:
    return _filled(QtWidgets.QHBoxLayout(), parts)


def _column(*parts: tuple[Any, int]) -> QtWidgets.QVBoxLayout:
    return _filled(QtWidgets.QVBoxLayout(), parts)


def _filled(layout: Any, parts: tuple[tuple[Any, int], ...]) -> Any:
    layout.setSpacing(6)
    for part, stretch in parts:
        if isinstance(part, QtWidgets.QLayout):
            layout.addLayout(part, stretch)
        else:
            # Widths follow the stretch alone, so that no text moves a column.
            part.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, part.sizePolicy().verticalPolicy())
            layout.addWidget(part, stretch)
    return layout
