# SPDX-License-Identifier: Apache-2.0
"""The table of episodes; the label of the chosen row can be corrected."""

from __future__ import annotations

from hilserl_rqt import words
from hilserl_rqt.episodes import Episode
from hilserl_rqt.panels import ElidedLabel, Panel
from hilserl_rqt.qt import Qt, QtCore, QtGui, QtWidgets
from hilserl_rqt.state import GraphState
from hilserl_rqt.theme import MUTED, OUTCOME_SIGNS, TEXT

ROWS = 200
_COLUMNS = ("#", "outcome", "ended by", "steps", "human", "time", "policy", "phase")
_RIGHT = {"#", "steps", "human", "time", "policy"}


class EpisodePanel(Panel):
    """Newest episode first. `correction(episode, outcome)` is emitted when a person corrects a label."""

    correction = QtCore.Signal(int, str)

    def __init__(self) -> None:
        super().__init__("EPISODES")
        self.table = QtWidgets.QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_COLUMNS.index("ended by"), QtWidgets.QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(30)
        header.setHighlightSections(False)
        for column, name in enumerate(_COLUMNS):
            self.table.horizontalHeaderItem(column).setTextAlignment(_alignment(name))
        self.table.itemSelectionChanged.connect(self._update_buttons)
        self.body.addWidget(self.table, 1)
        self._shown: tuple[int, int] = (0, -1)
        self._rows: list[Episode] = []
        self._servable, self._why = False, ""
        self._add_buttons()

    def _add_buttons(self) -> None:
        line = QtWidgets.QHBoxLayout()
        line.setSpacing(6)
        self._hint = ElidedLabel("muted")
        line.addWidget(self._hint, 1)
        self.buttons: dict[str, QtWidgets.QPushButton] = {}
        for outcome, (sign, _) in OUTCOME_SIGNS.items():
            button = QtWidgets.QPushButton(f"{sign} {outcome}")
            button.setStyleSheet("padding: 3px 10px;")
            button.clicked.connect(lambda _=False, outcome=outcome: self._correct(outcome))
            self.buttons[outcome] = button
            line.addWidget(button)
        self.body.addLayout(line)

    def refresh(self, state: GraphState, now_s: float, servable: bool, why: str) -> None:
        """Fills the table when an episode has ended or a label has changed."""
        self._servable, self._why = servable, why
        version = (id(state.episodes), state.episodes.changes)
        if version != self._shown:
            self._shown = version
            self._fill(state.episodes.newest(ROWS))
        self._update_buttons()

    def _fill(self, rows: list[Episode]) -> None:
        chosen = self._chosen()
        self._rows = rows
        self.table.setRowCount(len(rows))
        for number, episode in enumerate(rows):
            for column, text in enumerate(_texts(episode)):
                item = QtWidgets.QTableWidgetItem(text)
                item.setTextAlignment(_alignment(_COLUMNS[column]))
                item.setForeground(QtGui.QColor(MUTED if episode.discarded else TEXT))
                if column == 1 and not episode.discarded:
                    item.setForeground(QtGui.QColor(_bright(episode.judged)))
                self.table.setItem(number, column, item)
        phases = {episode.phase for episode in rows}
        self.table.setColumnHidden(_COLUMNS.index("phase"), len(phases) < 2)
        self.note(f"newest {len(rows)}: {', '.join(sorted(phases))}" if rows else "none finished yet")
        same = [i for i, e in enumerate(rows) if chosen is not None and _key(e) == _key(chosen)]
        if same:  # the same episode stays chosen while new ones come in above
            self.table.selectRow(same[0])
        else:
            self.table.clearSelection()

    def _chosen(self) -> Episode | None:
        row = self.table.currentRow()
        chosen = self.table.selectionModel().hasSelection()
        return self._rows[row] if chosen and 0 <= row < len(self._rows) else None

    def _update_buttons(self) -> None:
        episode = self._chosen()
        number = "" if episode is None else f" of episode {episode.number}"
        self._hint.show_text(f"correct the label{number}:")
        for outcome, button in self.buttons.items():
            possible = self._servable and episode is not None and episode.judged != outcome
            button.setEnabled(possible)
            if not self._servable:
                button.setToolTip(self._why)
            elif episode is None:
                button.setToolTip("Choose an episode in the table first.")
            else:
                button.setToolTip(f"Episode {episode.number} was in truth: {outcome}.")

    def _correct(self, outcome: str) -> None:
        episode = self._chosen()
        if episode is not None:
            self.correction.emit(episode.number, outcome)


def _key(episode: Episode) -> tuple[str, int, int]:
    return episode.actor, episode.number, episode.stamp_ns


def _alignment(column: str) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in _RIGHT else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _bright(outcome: str) -> str:
    return {"success": "#3ddbb0", "failure": "#ff8a3d"}.get(outcome, MUTED)


def _texts(episode: Episode) -> tuple[str, ...]:
    sign = OUTCOME_SIGNS.get(episode.judged, ("?", ""))[0]
    outcome = f"{sign} {episode.judged}"
    if episode.corrected is not None:
        outcome += f" (was {episode.outcome})"
    if episode.discarded:
        outcome = "discarded"
    human = episode.intervention_steps / episode.steps if episode.steps else None
    return (
        str(episode.number),
        outcome,
        episode.reason,
        str(episode.steps),
        words.share(human),
        words.number(episode.duration_s, 1, "s"),
        str(episode.policy_version),
        episode.phase,
    )
