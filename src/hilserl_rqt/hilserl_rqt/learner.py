# SPDX-License-Identifier: Apache-2.0
"""Health of the learner, and of everyone who feeds it."""

from __future__ import annotations

import math
from typing import Any

from hilserl_rqt import words
from hilserl_rqt.panels import ElidedLabel, Panel
from hilserl_rqt.qt import QtWidgets
from hilserl_rqt.state import GraphState
from hilserl_rqt.theme import GREEN, MUTED, ORANGE, RED

_STATE_COLOURS = {"training": GREEN, "paused": ORANGE, "failed": RED}
LOW_DISK_BYTES = 1 << 30  # the learner warns below it too


class LearnerPanel(Panel):
    """State, speed, policy, buffers, actors, disk."""

    def __init__(self) -> None:
        super().__init__("LEARNER")
        self._state = ElidedLabel("name")
        self.body.addWidget(self._state)
        self._lines = [ElidedLabel() for _ in range(3)]
        self._buffers = [QtWidgets.QProgressBar() for _ in range(2)]
        for line in self._lines:
            self.body.addWidget(line)
        for bar in self._buffers:
            bar.setRange(0, 1000)
            bar.setFixedHeight(18)
            self.body.addWidget(bar)
        self.body.addStretch(1)

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Shows the newest status."""
        message = state.status.message
        if message is None:
            self._show("no data", MUTED, ["", "", ""])
            for bar in self._buffers:
                bar.setVisible(False)
            return
        stale = state.status.stale(now_s)
        word = (
            f"STALE: {words.age(state.status.age_s(now_s))}, was {message.state}"
            if stale
            else _state(message)
        )
        colour = RED if stale else _STATE_COLOURS.get(message.state, MUTED)
        self._show(word, colour, [_speed(message), _policy(message), _surroundings(message)])
        sizes = (
            ("online", message.online_size, message.online_capacity),
            ("demos", message.demo_size, message.demo_capacity),
        )
        for bar, (name, size, capacity) in zip(self._buffers, sizes, strict=True):
            bar.setVisible(True)
            bar.setValue(round(1000 * size / capacity) if capacity else 0)
            bar.setFormat(f"{name}: {words.count(size)} of {words.count(capacity)}")

    def _show(self, word: str, colour: str, lines: list[str]) -> None:
        self._state.setStyleSheet(f"color: {colour};")
        self._state.show_text(word)
        for line, text in zip(self._lines, lines, strict=True):
            line.show_text(text)


def _state(message: Any) -> str:
    return f"{message.state}: {message.reason}" if message.reason else str(message.state)


def _speed(message: Any) -> str:
    workers = f", {message.workers} processes" if message.workers > 1 else ""
    cycles = words.count(message.cycles)
    return f"{words.number(message.updates_per_s, 1)} updates/s, {cycles} in all{workers}"


def _policy(message: Any) -> str:
    return f"policy {message.policy_version}, {words.duration(message.policy_age_s)} old"


def _surroundings(message: Any) -> str:
    """Checkpoint, silent actors, disk: what goes wrong first comes first."""
    parts = []
    silent = [
        f"{name} silent for {words.duration(age)}"
        for name, age in zip(message.actor_ids, message.actor_silent_s, strict=False)
        if math.isfinite(age) and age > 30.0
    ]
    if message.disk_free_bytes and message.disk_free_bytes < LOW_DISK_BYTES:
        parts.append(f"DISK LOW: {words.size(message.disk_free_bytes)}")
    parts += silent
    saved = words.duration(message.checkpoint_age_s)
    parts.append(f"saved {saved} ago" if saved != words.UNKNOWN else "nothing saved yet")
    if message.disk_free_bytes:
        parts.append(f"{words.size(message.disk_free_bytes)} free")
    return ", ".join(parts)
