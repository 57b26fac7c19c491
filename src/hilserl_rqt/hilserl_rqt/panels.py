# SPDX-License-Identifier: Apache-2.0
"""What the panels are built of: a frame with a title, and a tile with one figure."""

from __future__ import annotations

from hilserl_rqt.qt import Qt, QtWidgets


class Panel(QtWidgets.QFrame):
    """A framed area with a title line; `note` stands at the right end of that line.

    Attributes:
        body: layout below the title.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setObjectName("panel")
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(8, 5, 8, 7)
        outer.setSpacing(4)
        self.head = QtWidgets.QHBoxLayout()
        self._title = label(title, "title")
        self._note = label("", "muted")
        self.head.addWidget(self._title)
        self.head.addStretch(1)
        self.head.addWidget(self._note)
        outer.addLayout(self.head)
        self.body = QtWidgets.QVBoxLayout()
        self.body.setSpacing(4)
        outer.addLayout(self.body, 1)

    def note(self, text: str) -> None:
        """Sets the text at the right."""
        if self._note.text() != text:
            self._note.setText(text)


class Tile(Panel):
    """One big figure with a line below it."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._figure, self._below = label("–", "figure"), label("", "muted")
        self.body.setSpacing(0)
        self.body.addWidget(self._figure)
        self.body.addWidget(self._below)
        self.body.addStretch(1)

    def show_figure(self, text: str, below: str) -> None:
        """Sets both lines."""
        self._figure.setText(text)
        self._below.setText(below)


def label(text: str, name: str = "", wrap: bool = False) -> QtWidgets.QLabel:
    """A label that never widens its column: what is too long is cut by the layout, not the window grown."""
    made = QtWidgets.QLabel(text)
    made.setObjectName(name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if wrap:
        made.setWordWrap(True)
    return made


class ElidedLabel(QtWidgets.QLabel):
    """One line that ends in … where there is no room, and tells the whole text as a tooltip."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.setObjectName(name)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        self._whole = ""

    def show_text(self, text: str) -> None:
        """Sets the text."""
        if text != self._whole:
            self._whole = text
            self.setToolTip(text)
            self._fit()

    def resizeEvent(self, event: object) -> None:
        """Fits the text into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = max(0, self.width() - 2)
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, room))
