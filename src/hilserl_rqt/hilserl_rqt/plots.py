# SPDX-License-Identifier: Apache-2.0
"""Curves of the last minute: reward probability, Q value, policy standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np

from hilserl_rqt import words
from hilserl_rqt.panels import Panel
from hilserl_rqt.qt import QtGui, QtWidgets, pyqtgraph
from hilserl_rqt.state import CURVE_S, Curve, GraphState, Latest
from hilserl_rqt.theme import GREEN, LINE, MUTED, ORANGE, PANEL, PURPLE, SKY


class _Plot(QtWidgets.QWidget):
    """One curve with a heading that says its newest value; optionally a band and a dashed second line."""

    def __init__(self, title: str, colour: str, banded: bool, second: str = "") -> None:
        super().__init__()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._title = title
        self._heading = QtWidgets.QLabel(title)
        self._heading.setStyleSheet(f"color: {MUTED}; font-size: 12px;")
        layout.addWidget(self._heading)
        self._view = pyqtgraph.PlotWidget(background=PANEL)
        self._view.setMinimumHeight(60)
        self._view.setMouseEnabled(x=False, y=False)
        self._view.hideButtons()
        self._view.setMenuEnabled(False)
        self._view.setXRange(-CURVE_S, 0, padding=0.0)
        for side in ("left", "bottom"):
            axis = self._view.getAxis(side)
            axis.setPen(LINE)
            axis.setTextPen(MUTED)
            font = QtGui.QFont(self.font())
            font.setPixelSize(10)
            axis.setStyle(tickFont=font, tickLength=-4)
        self._view.getAxis("left").setWidth(38)
        self._view.getAxis("bottom").setHeight(18)
        self._view.setLimits(minYRange=0.02)  # a constant is a line, not the noise of its last digits
        self._view.showGrid(x=False, y=True, alpha=0.15)
        layout.addWidget(self._view, 1)
        self._banded = banded
        if banded:
            faint = QtGui.QColor(colour)
            faint.setAlpha(60)
            self._low, self._high = self._view.plot(pen=faint), self._view.plot(pen=faint)
            self._view.addItem(pyqtgraph.FillBetweenItem(self._low, self._high, brush=faint))
        self._line = self._view.plot(pen=pyqtgraph.mkPen(colour, width=2), connect="finite")
        dashes = pyqtgraph.QtCore.Qt.PenStyle.DashLine
        self._second = self._view.plot(pen=pyqtgraph.mkPen(second or colour, width=1.5, style=dashes))

    def fixed(self, low: float, high: float) -> _Plot:
        """A y axis that does not follow the values."""
        self._view.setYRange(low, high, padding=0.04)
        return self

    def draw(self, curve: Curve, now_s: float, heading: str) -> None:
        """Columns of the curve: value, then low and high of the band, or the dashed line."""
        self._heading.setText(f"{self._title}   {heading}")
        t, values = curve.since(now_s)
        self._line.setData(t, values[:, 0] if len(t) else t)
        if self._banded and values.shape[1] == 3:
            whole = np.isfinite(values).all(axis=1)  # a band has no gaps
            self._low.setData(t[whole], values[whole, 1])
            self._high.setData(t[whole], values[whole, 2])
        elif not self._banded and values.shape[1] == 2:
            self._second.setData(t, values[:, 1])


class PlotPanel(Panel):
    """The three curves, newest value at the right."""

    def __init__(self) -> None:
        super().__init__("LAST MINUTE")
        self._reward = _Plot("success probability", GREEN, banded=False, second=ORANGE).fixed(0.0, 1.0)
        self._value = _Plot("Q value", SKY, banded=True)
        self._std = _Plot("policy standard deviation", PURPLE, banded=True)
        for plot in (self._reward, self._value, self._std):
            self.body.addWidget(plot, 1)
        self.note("seconds ago")

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Draws all three."""
        reward, value, insight = state.reward, state.value, state.insight
        self._reward.draw(state.reward_curve, now_s, _said(reward, now_s, _reward_text))
        self._value.draw(state.value_curve, now_s, _said(value, now_s, _value_text))
        self._std.draw(state.std_curve, now_s, _said(insight, now_s, _std_text))


def _said(latest: Latest, now_s: float, text: Any) -> str:
    message = latest.message
    if message is None:
        return "no data"
    return f"STALE: {words.age(latest.age_s(now_s))}" if latest.stale(now_s) else str(text(message))


def _reward_text(message: Any) -> str:
    success = "   SUCCESS" if message.success else ""
    return f"{words.number(message.probability)}  (threshold {words.number(message.threshold)}){success}"


def _value_text(message: Any) -> str:
    low, high = message.q_min, message.q_max
    mean, band = words.number(message.q_mean), f"critics {words.number(low)} to {words.number(high)}"
    return f"{mean}  ({band}; episode {message.episode})"


def _std_text(message: Any) -> str:
    std = np.asarray(message.std, float)
    if not std.size:
        return "no data"
    return f"{words.number(std.mean())}  (axes {words.number(std.min())} to {words.number(std.max())})"
