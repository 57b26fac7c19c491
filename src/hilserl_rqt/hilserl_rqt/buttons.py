# SPDX-License-Identifier: Apache-2.0
"""The buttons: each is a service of the graph, and says why it cannot be pressed."""

from __future__ import annotations

from typing import Any

from std_srvs.srv import SetBool, Trigger

from hilserl_msgs.msg import Action
from hilserl_msgs.srv import Evaluate, OperatorEvent
from hilserl_rqt import commands
from hilserl_rqt.commands import Command
from hilserl_rqt.panels import ElidedLabel
from hilserl_rqt.qt import QtCore, QtWidgets
from hilserl_rqt.state import GraphState

EVALUATION_EPISODES = (5, 10, 20, 50, 100)


class ButtonBar(QtWidgets.QFrame):
    """`pressed(command, request, what)` for every press; `said` shows the answer."""

    pressed = QtCore.Signal(object, object, str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(8, 6, 8, 3)
        outer.setSpacing(2)
        self._layout = QtWidgets.QHBoxLayout()
        self._layout.setSpacing(6)
        outer.addLayout(self._layout)
        self._needs: dict[QtWidgets.QWidget, tuple[Command, str]] = {}
        self.buttons: dict[str, QtWidgets.QPushButton] = {}
        self._add_operator()
        self._line()
        self._add_pauses()
        self._line()
        self._add_evaluation()
        self._layout.addStretch(1)
        self._answer = ElidedLabel()
        outer.addWidget(self._answer)
        self._enabled = True
        self._learner_paused = False

    def _add_operator(self) -> None:
        for key, event, style, text in (
            ("success", Action.EVENT_SUCCESS, "good", "This episode is a success: ends it."),
            ("failure", Action.EVENT_FAILURE, "bad", "This episode is a failure: ends it."),
            ("discard", Action.EVENT_DISCARD, "", "Forget this episode: nothing of it is learnt."),
        ):
            sign = {"success": "✔ ", "failure": "✘ "}.get(key, "")
            button = self._button(key, f"{sign}{key.capitalize()}", commands.OPERATOR_EVENT, text)
            button.setObjectName(style)
            button.clicked.connect(
                lambda _=False, key=key, event=event: self._press(
                    commands.OPERATOR_EVENT, OperatorEvent.Request(event=event), key
                )
            )
        self._interventions = self._button(
            "interventions",
            "Interventions: off",
            commands.SET_ENABLED,
            "Whether a person may take over with the device.",
        )
        self._interventions.clicked.connect(self._toggle_interventions)

    def _add_pauses(self) -> None:
        self._robot = self._button(
            "pause_robot", "Pause robot", commands.PAUSE_ACTOR, "The arm stands still until resumed."
        )
        self._robot.setCheckable(True)
        self._robot.clicked.connect(self._toggle_robot)
        self._learner = self._button(
            "pause_learner",
            "Pause learning",
            commands.PAUSE_LEARNER,
            "No updates until resumed; experience is still taken in.",
        )
        self._learner.setCheckable(True)
        self._learner.clicked.connect(self._toggle_learner)
        save = self._button("save", "Save", commands.SAVE, "Write a checkpoint now.")
        save.clicked.connect(lambda: self._press(commands.SAVE, Trigger.Request(), "save"))

    def _add_evaluation(self) -> None:
        self._episodes = QtWidgets.QComboBox()
        self._episodes.addItem("as in task", 0)
        for number in EVALUATION_EPISODES:
            self._episodes.addItem(f"{number} episodes", number)
        self._mean = QtWidgets.QCheckBox("mean action")
        button = self._button(
            "evaluate",
            "Evaluate",
            commands.EVALUATE,
            "Episodes without interventions, then training goes on.",
        )
        button.clicked.connect(self._evaluate)
        for widget, text in (
            (self._episodes, "Episodes of the evaluation"),
            (self._mean, "Evaluate the mean of the policy instead of samples of it"),
        ):
            self._needs[widget] = (commands.EVALUATE, text)
            self._layout.addWidget(widget)

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Enables what is served, and shows what is paused or off."""
        for widget, (command, text) in self._needs.items():
            ready = state.services.get(command.key, False)
            if widget.isEnabled() != ready:
                widget.setEnabled(ready)
            tip = text if ready else command.missing(state.graph)
            if widget.toolTip() != tip:
                widget.setToolTip(tip)
        mux = state.intervention.message
        self._enabled = True if mux is None else mux.enabled
        self._interventions.setText("Interventions: on" if self._enabled else "Interventions: OFF")
        status = state.status.fresh(now_s)
        self._learner_paused = status is not None and status.state == "paused"
        self._set_checked(self._learner, self._learner_paused, "Resume learning", "Pause learning")
        self._set_checked(self._robot, bool(state.actor_paused), "Resume robot", "Pause robot")

    def said(self, accepted: bool, text: str) -> None:
        """The answer to the last press."""
        self._answer.setStyleSheet(f"color: {'#3ddbb0' if accepted else '#ff8a3d'};")
        self._answer.show_text(text)

    def waiting(self, what: str) -> None:
        """A request is under way."""
        self._answer.setStyleSheet("")
        self._answer.show_text(f"{what} …")

    def _button(self, key: str, text: str, command: Command, tip: str) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text)
        button.setEnabled(False)
        button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # the space bar must not label an episode
        self._needs[button] = (command, tip)
        self.buttons[key] = button
        self._layout.addWidget(button)
        return button

    def _line(self) -> None:
        line = QtWidgets.QFrame()
        line.setFrameShape(QtWidgets.QFrame.Shape.VLine)
        line.setStyleSheet("color: #3a444f;")
        self._layout.addWidget(line)

    @staticmethod
    def _set_checked(button: QtWidgets.QPushButton, on: bool, when_on: str, when_off: str) -> None:
        button.setChecked(on)
        button.setText(when_on if on else when_off)

    def _press(self, command: Command, request: Any, what: str) -> None:
        self.waiting(what)
        self.pressed.emit(command, request, what)

    def _toggle_interventions(self) -> None:
        wanted = not self._enabled
        self._press(
            commands.SET_ENABLED, SetBool.Request(data=wanted), f"interventions {'on' if wanted else 'off'}"
        )

    def _toggle_robot(self, wanted: bool) -> None:
        self._robot.setChecked(not wanted)  # shown as paused when the actor has said so
        self._press(
            commands.PAUSE_ACTOR, SetBool.Request(data=wanted), "pause robot" if wanted else "resume robot"
        )

    def _toggle_learner(self, wanted: bool) -> None:
        self._learner.setChecked(not wanted)
        command = commands.PAUSE_LEARNER if wanted else commands.RESUME_LEARNER
        self._press(command, Trigger.Request(), "pause learning" if wanted else "resume learning")

    def _evaluate(self) -> None:
        request = Evaluate.Request(
            episodes=self._episodes.currentData(), deterministic=self._mean.isChecked()
        )
        self._press(commands.EVALUATE, request, "evaluate")
