# SPDX-License-Identifier: Apache-2.0
"""One arm: wrench and touched limits by axis, joints, gripper, what the controller does."""

from __future__ import annotations

import math
from typing import Any

from hilserl_rqt import words
from hilserl_rqt.limits import AXES, AXIS_RULES, JOINT_RULES
from hilserl_rqt.panels import ElidedLabel, Panel, label
from hilserl_rqt.qt import Qt, QtCore, QtGui, QtWidgets
from hilserl_rqt.state import ArmView, GraphState
from hilserl_rqt.theme import GREY, LINE, MUTED, RED, SKY, TEXT

FORCE_SCALE_N, TORQUE_SCALE_NM = 40.0, 10.0  # a full bar; the defaults of the law's wrench cap
MODES = ("pose", "twist", "wrench", "pose and wrench")  # CartesianTarget.MODE_*


def wrench_of(message: Any) -> tuple[float, ...]:
    """External wrench: forces in N, then torques in Nm, axes of the tcp."""
    force, torque = message.external_wrench.force, message.external_wrench.torque
    return force.x, force.y, force.z, torque.x, torque.y, torque.z


class AxisMatrix(QtWidgets.QWidget):
    """A row an axis: bar and figure of the wrench, then a cell for every limit rule. Below: joints."""

    def __init__(self) -> None:
        super().__init__()
        self._view: ArmView | None = None
        self._now_s, self._stale = 0.0, True
        self.setMinimumSize(250, 8 * 20 + 6)
        self.setMouseTracking(True)

    def show_arm(self, view: ArmView, now_s: float) -> None:
        """Takes what to draw."""
        self._view, self._now_s, self._stale = view, now_s, view.state.stale(now_s)
        self.update()

    def event(self, event: Any) -> bool:
        """Explains the rule below the mouse."""
        if event.type() == QtCore.QEvent.Type.ToolTip:
            position = event.pos()
            column = int((position.x() - self._cells_left()) // self._cell_width())
            if position.x() >= self._cells_left() and 0 <= column < len(AXIS_RULES):
                _, name, meaning = AXIS_RULES[column]
                QtWidgets.QToolTip.showText(event.globalPos(), f"{name}: {meaning}", self)
                return True
        return bool(super().event(event))

    def paintEvent(self, event: object) -> None:
        """Draws the table."""
        painter = QtGui.QPainter(self)
        font = QtGui.QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        row = self._row_height()
        self._draw_head(painter, row)
        values: tuple[float, ...] = (math.nan,) * 6
        if self._view is not None and self._view.state.message is not None:
            values = wrench_of(self._view.state.message)
        for number, axis in enumerate(AXES):
            self._draw_axis(painter, axis, values[number], (number + 1) * row, row, number >= 3)
        self._draw_joints(painter, 7 * row + 4, row)
        painter.end()

    def _row_height(self) -> int:
        return max(17, min(34, (self.height() - 6) // 8))

    def _cells_left(self) -> int:
        return max(96, int(0.36 * self.width()))

    def _cell_width(self) -> float:
        return (self.width() - self._cells_left()) / len(AXIS_RULES)

    def _draw_head(self, painter: QtGui.QPainter, row: int) -> None:
        painter.setPen(QtGui.QColor(MUTED))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QtCore.QRect(0, 0, self._cells_left(), row), left, "wrench N, Nm")
        small = QtGui.QFont(painter.font())
        small.setPixelSize(9 if self._cell_width() < 38 else 11)
        painter.save()
        painter.setFont(small)
        for column, (_, name, _meaning) in enumerate(AXIS_RULES):
            box = QtCore.QRectF(self._cells_left() + column * self._cell_width(), 0, self._cell_width(), row)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)
        painter.restore()

    def _draw_axis(
        self, painter: QtGui.QPainter, axis: str, value: float, top: int, row: int, torque: bool
    ) -> None:
        centre = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QtGui.QColor(TEXT))
        painter.drawText(QtCore.QRect(0, top, 20, row), centre | Qt.AlignmentFlag.AlignLeft, axis)
        bar = QtCore.QRectF(20, top + 4, self._cells_left() - 20 - 46, row - 8)
        painter.fillRect(bar, QtGui.QColor("#12161a"))
        if math.isfinite(value):
            part = max(-1.0, min(1.0, value / (TORQUE_SCALE_NM if torque else FORCE_SCALE_N)))
            half = bar.width() / 2
            filled = QtCore.QRectF(
                bar.left() + half + min(0.0, part) * half, bar.top(), abs(part) * half, bar.height()
            )
            painter.fillRect(filled, QtGui.QColor(GREY if self._stale else SKY))
        painter.setPen(QtGui.QColor(MUTED if self._stale else TEXT))
        figure = QtCore.QRect(self._cells_left() - 46, top, 40, row)
        painter.drawText(figure, centre | Qt.AlignmentFlag.AlignRight, words.number(value, 1))
        for column, (_, rule, _meaning) in enumerate(AXIS_RULES):
            box = QtCore.QRectF(
                self._cells_left() + column * self._cell_width(), top, self._cell_width(), row
            )
            self._draw_cell(painter, box.adjusted(2, 2, -2, -2), axis, rule)

    def _draw_joints(self, painter: QtGui.QPainter, top: int, row: int) -> None:
        """Joint cells: filled when any of their rules is touched, with the initials of the rules."""
        joints = self._view.limits.joints if self._view is not None else 0
        painter.setPen(QtGui.QColor(MUTED))
        box = QtCore.QRect(0, top, self._cells_left(), row)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, "joint limits")
        if not joints or self._view is None:
            return
        width = (self.width() - self._cells_left()) / joints
        for joint in range(1, joints + 1):
            cell = QtCore.QRectF(self._cells_left() + (joint - 1) * width, top, width, row)
            where = f"joint {joint}"
            ages = {
                rule: self._view.limits.age_s(where, rule, self._now_s) for _, rule, _meaning in JOINT_RULES
            }
            touched = [rule for rule, age in ages.items() if age is not None]
            self._draw_cell(painter, cell.adjusted(2, 2, -2, -2), where, touched[0] if touched else "effort")
            painter.setPen(QtGui.QColor(TEXT if touched else GREY))
            letters = "".join(rule[0].upper() for rule in touched)
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, letters or str(joint))

    def _draw_cell(self, painter: QtGui.QPainter, box: QtCore.QRectF, where: str, rule: str) -> None:
        """Full: touched now. Outlined: a moment ago. Dark: not."""
        age = None if self._view is None else self._view.limits.age_s(where, rule, self._now_s)
        if age is not None and age < 0.3:
            painter.fillRect(box, QtGui.QColor(RED))
            return
        painter.fillRect(box, QtGui.QColor("#12161a"))
        pen = QtGui.QPen(QtGui.QColor(LINE if age is None else RED))
        pen.setWidth(1 if age is None else 2)
        painter.setPen(pen)
        painter.drawRect(box)


class ArmPage(QtWidgets.QWidget):
    """Everything about one arm."""

    def __init__(self) -> None:
        super().__init__()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        self._controller = ElidedLabel()
        self._matrix = AxisMatrix()
        self.touched = label("", wrap=True)
        self.touched.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.touched.setMinimumHeight(34)  # two lines, so that nothing moves when a limit is touched
        self._gripper = QtWidgets.QProgressBar()
        self._gripper.setRange(0, 100)
        self._gripper.setFixedHeight(18)
        layout.addWidget(self._controller)
        layout.addWidget(self._matrix, 1)
        layout.addWidget(self.touched)
        layout.addWidget(self._gripper)

    def refresh(self, view: ArmView, now_s: float) -> None:
        """Shows the newest state."""
        self._matrix.show_arm(view, now_s)
        self._controller.show_text(_controller_text(view, now_s))
        touches = [str(touch) for touch in view.limits.touches(now_s)]
        self.touched.setStyleSheet(f"color: {RED if touches else MUTED}; font-weight: bold;")
        self.touched.setText(f"limits touched: {', '.join(touches)}" if touches else "no limit touched")
        message = view.gripper.message
        if message is None or not len(message.position) or not math.isfinite(message.position[0]):
            self._gripper.setValue(0)
            self._gripper.setFormat("gripper: no data")
            return
        opening = min(1.0, max(0.0, message.position[0]))
        self._gripper.setValue(round(100 * opening))
        old = f", STALE {words.age(view.gripper.age_s(now_s))}" if view.gripper.stale(now_s) else ""
        word = "closed" if opening < 0.02 else "open" if opening > 0.98 else "open to"
        figure = f" {100 * opening:.0f} %" if word == "open to" else ""
        self._gripper.setFormat(f"gripper: {word}{figure}{old}")


class ArmPanel(Panel):
    """A tab an arm; no tabs where there is one arm."""

    def __init__(self) -> None:
        super().__init__("ARM")
        self._pages: dict[str, ArmPage] = {}
        self._tabs = QtWidgets.QTabWidget()
        self._tabs.setDocumentMode(True)
        self._tabs.tabBar().setDrawBase(False)
        self.body.addWidget(self._tabs, 1)

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Shows every arm, so that another tab is never old."""
        for name in [name for name in self._pages if name not in state.arms]:
            page = self._pages.pop(name)
            self._tabs.removeTab(self._tabs.indexOf(page))
            page.deleteLater()
        for name in state.arms:
            if name not in self._pages:
                self._pages[name] = ArmPage()
                self._tabs.addTab(self._pages[name], name)
        self._tabs.tabBar().setVisible(len(self._pages) > 1)
        self.note(next(iter(self._pages)) if len(self._pages) == 1 else "" if self._pages else "no data")
        for name, page in self._pages.items():
            view = state.arms[name]
            page.refresh(view, now_s)
            sign = " ■" if view.limits.touches(now_s) else ""
            self._tabs.setTabText(self._tabs.indexOf(page), f"{name}{sign}")


def _controller_text(view: ArmView, now_s: float) -> str:
    message = view.state.message
    if message is None:
        return "controller: no data"
    if view.state.stale(now_s):
        return f"controller: STALE, {words.age(view.state.age_s(now_s))}"
    mode = MODES[message.mode] if message.mode < len(MODES) else f"mode {message.mode}"
    holding = ", target stale: HOLDING" if message.holding else ""
    fading = ", wrench stale: fading" if message.wrench_stale else ""
    return f"controller: {mode}, target {1000 * message.target_age:.0f} ms old{holding}{fading}"
