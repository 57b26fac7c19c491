# SPDX-License-Identifier: Apache-2.0
"""What a person should know now: the coach's advice, problems of the nodes, and which nodes live."""

from __future__ import annotations

from hilserl_msgs.msg import CoachAdvice
from hilserl_rqt import words
from hilserl_rqt.panels import Panel, label
from hilserl_rqt.qt import Qt, QtGui, QtWidgets
from hilserl_rqt.state import GraphState, Problem
from hilserl_rqt.theme import MUTED, PROBLEM_SIGNS, RED, SKY, TEXT, YELLOW

_LEVELS = {
    CoachAdvice.LEVEL_QUIET: ("", MUTED),
    CoachAdvice.LEVEL_ADVICE: ("● ", SKY),
    CoachAdvice.LEVEL_WARNING: ("▲ ", YELLOW),
}

NAMED_DEAD = 3


class CoachPanel(Panel):
    """One sentence, and the figures behind it."""

    def __init__(self) -> None:
        super().__init__("COACH")
        self._text = label("", "name", wrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._figures = label("", "muted", wrap=True)
        self.body.addWidget(self._text)
        self.body.addWidget(self._figures)

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Shows the newest advice."""
        message = state.coach.message
        if message is None:
            self._show("", MUTED, "no data: no coach is running")
            return
        sign, colour = _LEVELS.get(message.level, _LEVELS[CoachAdvice.LEVEL_QUIET])
        self._show(f"{sign}{message.text or 'No advice now.'}", colour, _figures(message))

    def _show(self, text: str, colour: str, figures: str) -> None:
        self._text.setVisible(bool(text))
        self._text.setText(text)
        self._text.setStyleSheet(f"color: {colour};")
        self._figures.setText(figures)


def _figures(message: CoachAdvice) -> str:
    return (
        f"last {message.window_episodes} episodes: "
        f"{words.number(message.interventions_per_episode, 1)} interventions each, "
        f"{words.duration(message.mean_intervention_s)} long; "
        f"{words.share(message.rescued_rate)} of successes helped"
    )


class ProblemPanel(Panel):
    """Warnings and errors of the last five minutes, newest first."""

    def __init__(self) -> None:
        super().__init__("DIAGNOSTICS")
        self.table = QtWidgets.QTableWidget(0, 3)
        self.table.horizontalHeader().setVisible(False)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.body.addWidget(self.table, 1)

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Fills the list."""
        problems = state.problems.recent(now_s)
        errors = sum(problem.level >= 2 for problem in problems)
        counts = f"{words.plural(errors, 'error')}, {words.plural(len(problems) - errors, 'warning')}"
        self.note(f"{counts} in 5 min" if problems else "no warning in 5 min")
        self.table.setRowCount(len(problems))
        for row, problem in enumerate(problems):
            self._set_row(row, problem, now_s)

    def _set_row(self, row: int, problem: Problem, now_s: float) -> None:
        sign, colour = PROBLEM_SIGNS[problem.level]
        times = f" ×{problem.count}" if problem.count > 1 else ""
        facts = f" ({problem.facts})" if problem.facts else ""
        whole = f"{problem.node}: {problem.text}{facts}"
        texts = (sign, f"{words.duration(now_s - problem.at_s)}{times}", whole)
        for column, text in enumerate(texts):
            item = self.table.item(row, column)
            if item is None:
                item = QtWidgets.QTableWidgetItem()
                self.table.setItem(row, column, item)
            if item.text() != text:
                item.setText(text)
            item.setForeground(QtGui.QColor((colour, MUTED, TEXT)[column]))
            item.setToolTip(whole)


class NodeLine(QtWidgets.QLabel):
    """Every node of the graph, alive or dead."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        self._shown: dict[str, bool] | None = None

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Shows the nodes by their names; the tooltip has the whole ones."""
        if state.nodes == self._shown:
            return
        self._shown = dict(state.nodes)
        self.setToolTip("\n".join(f"{name}: {'alive' if ok else 'DEAD'}" for name, ok in self._shown.items()))
        self._fit()

    def resizeEvent(self, event: object) -> None:
        """Fits the text into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """The dead first, in bold and red; names of the living end in … where there is no room."""
        shown = self._shown or {}
        dead = [name for name, alive in shown.items() if not alive]
        alive = [name.rsplit("/", 1)[-1] for name, lives in shown.items() if lives]
        said = "" if not dead else _dead_text(dead) if alive else f"all {len(dead)} nodes have ended"
        bold = QtGui.QFont(self.font())
        bold.setBold(True)
        room = self.width() - QtGui.QFontMetrics(bold).horizontalAdvance(f"{said}    ")
        living = f"● {len(alive)} nodes alive: {', '.join(alive)}" if alive else ""
        living = self.fontMetrics().elidedText(living, Qt.TextElideMode.ElideRight, max(0, room))
        first = f"<b>{said}</b>" if alive else said
        self.setText(
            f'<span style="color:{RED if alive else MUTED}">{first}</span>{"&nbsp;&nbsp; " if said else ""}'
            f'<span style="color:{MUTED}">{living}</span>'
        )


def _dead_text(dead: list[str]) -> str:
    """The first few by name; the tooltip has them all."""
    named = "  ".join(f"✘ {name.rsplit('/', 1)[-1]} DEAD" for name in dead[:NAMED_DEAD])
    return f"{named} and {len(dead) - NAMED_DEAD} more" if len(dead) > NAMED_DEAD else named
