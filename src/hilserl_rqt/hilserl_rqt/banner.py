# SPDX-License-Identifier: Apache-2.0
"""Who has the robot, in letters and a colour to be read across a room."""

from __future__ import annotations

from typing import Any

from hilserl_ros.names import SOURCES
from hilserl_rqt import words
from hilserl_rqt.panels import ElidedLabel
from hilserl_rqt.qt import Qt, QtGui, QtWidgets
from hilserl_rqt.state import GraphState
from hilserl_rqt.theme import OWNERS


def owner_of(source: int) -> str:
    """Word of Action.SOURCE_*."""
    return SOURCES[source] if source < len(SOURCES) else "unknown"


class OwnerBanner(QtWidgets.QFrame):
    """Policy, human or hold; for several arms also each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setMinimumHeight(92)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(18, 4, 18, 4)
        layout.setSpacing(18)
        self.word = QtWidgets.QLabel("")
        font = QtGui.QFont(self.font())
        font.setPixelSize(58)
        font.setBold(True)
        self._font = font
        layout.addWidget(self.word)
        lines = QtWidgets.QVBoxLayout()
        lines.setSpacing(1)
        self._lines = [ElidedLabel() for _ in range(3)]
        lines.addStretch(1)
        for line in self._lines:
            line.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            lines.addWidget(line)
        lines.addStretch(1)
        layout.addLayout(lines, 1)
        self._colours = ("", "")

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Shows the newest state of the mux."""
        latest = state.intervention
        message = latest.message
        owner = "unknown" if message is None or latest.stale(now_s) else owner_of(message.source)
        self._show_owner(owner)
        if message is None:
            self._show_lines("nothing", "heard from", "the mux")
            return
        if owner == "unknown":
            self.word.setText("STALE")
            before = f"was {OWNERS[owner_of(message.source)][0]}"
            self._show_lines(words.age(latest.age_s(now_s)), before, _place(message))
            return
        arms = self._arms(state, message)
        doors = "interventions on" if message.enabled else "interventions OFF"
        forced = ", held by set_intervention" if message.forced else ""
        last = _place(message) if len(arms) > 1 else f"{doors}{forced}"
        lines = [*arms, last] if arms else ["", _place(message), last]
        self._show_lines(*lines)

    def _arms(self, state: GraphState, message: Any) -> list[str]:
        """Two lines with one word an arm, where there are several."""
        sources = list(message.arm_sources)
        if len(sources) < 2:
            return []
        names = [arm.name for arm in state.task.arms] if state.task is not None else []
        if len(names) != len(sources):
            names = [f"arm {i + 1}" for i in range(len(sources))]
        words_of = [
            f"{name}: {owner_of(source).upper()}" for name, source in zip(names, sources, strict=True)
        ]
        return [words_of[0], ", ".join(words_of[1:])]

    def _show_owner(self, owner: str) -> None:
        word, background, text = OWNERS[owner]
        self.word.setText(word)
        if self._colours == (background, text):
            return
        self._colours = (background, text)
        self.setStyleSheet(
            f"#banner {{ background: {background}; border-radius: 6px; }}"
            f"#banner QLabel {{ color: {text}; font-size: 15px; font-weight: bold; }}"
        )
        self.word.setStyleSheet(f"color: {text}; font-size: 58px; font-weight: 900;")

    def _show_lines(self, *texts: str) -> None:
        for line, text in zip(self._lines, texts, strict=True):
            line.setVisible(bool(text))
            line.show_text(text)


def _place(message: Any) -> str:
    return f"episode {message.episode}, step {message.step}"
