# SPDX-License-Identifier: Apache-2.0
"""Colours and style. Every meaning has a word beside its colour; the colours are those of Okabe and Ito.

Okabe and Ito (2008), "Color Universal Design": told apart with every common colour vision deficiency.
"""

from __future__ import annotations

BACKGROUND, PANEL, LINE = "#14181d", "#1e242b", "#323b45"
TEXT, MUTED = "#eef1f4", "#9fabb7"
BLUE, SKY, ORANGE, GREEN = "#0072b2", "#56b4e9", "#e69f00", "#009e73"
YELLOW, RED, PURPLE, GREY = "#f0e442", "#d55e00", "#cc79a7", "#5b6570"

# Owner of the robot: word, background, text. Blue and orange differ most, also in brightness.
OWNERS = {
    "policy": ("POLICY", BLUE, "#ffffff"),
    "human": ("HUMAN", ORANGE, "#000000"),
    "hold": ("HOLD", "#c9d0d6", "#000000"),
    "unknown": ("NO DATA", "#2a3139", MUTED),
}
# Outcome of an episode: sign and colour.
OUTCOME_SIGNS = {"success": ("✔", GREEN), "failure": ("✘", RED), "unlabelled": ("–", GREY)}
PROBLEM_SIGNS = {1: ("▲ warning", YELLOW), 2: ("■ error", RED), 3: ("◆ stale", PURPLE)}

STYLE = f"""
#dashboard, #dashboard QWidget {{ color: {TEXT}; font-size: 13px; }}
#dashboard {{ background: {BACKGROUND}; }}
#dashboard QFrame#panel {{ background: {PANEL}; border: 1px solid {LINE}; border-radius: 6px; }}
#dashboard QLabel#title {{ color: {MUTED}; font-size: 12px; font-weight: bold; }}
#dashboard QLabel#muted {{ color: {MUTED}; font-size: 12px; }}
#dashboard QLabel#figure {{ font-size: 26px; font-weight: bold; }}
#dashboard QLabel#name {{ font-size: 15px; font-weight: bold; }}
#dashboard QComboBox {{
    background: {PANEL}; border: 1px solid {LINE}; border-radius: 4px; padding: 3px 6px; min-height: 20px; }}
#dashboard QComboBox QAbstractItemView {{ background: {PANEL}; selection-background-color: {BLUE}; }}
#dashboard QPushButton {{
    background: #2b343d; border: 1px solid #475361; border-radius: 5px; padding: 7px 12px;
    font-weight: bold; }}
#dashboard QPushButton:hover {{ background: #384450; }}
#dashboard QPushButton:pressed {{ background: {BLUE}; }}
#dashboard QPushButton:disabled {{ color: #66717c; background: #1b2026; border-color: #2a323a; }}
#dashboard QPushButton#good {{ border: 2px solid {GREEN}; }}
#dashboard QPushButton#bad {{ border: 2px solid {RED}; }}
#dashboard QPushButton#good:disabled, #dashboard QPushButton#bad:disabled {{ border-color: #2a323a; }}
#dashboard QPushButton:checked {{ background: {YELLOW}; color: #000000; }}
#dashboard QTableWidget {{
    background: {PANEL}; alternate-background-color: #232a32; border: none; gridline-color: {LINE};
    selection-background-color: {BLUE}; selection-color: #ffffff; }}
#dashboard QHeaderView::section {{
    background: {PANEL}; color: {MUTED}; border: none; border-bottom: 1px solid {LINE}; padding: 3px 6px;
    font-size: 12px; font-weight: bold; }}
#dashboard QTabWidget::pane {{ border: none; }}
#dashboard QTabBar::tab {{ background: {PANEL}; color: {MUTED}; padding: 3px 12px; border-radius: 4px; }}
#dashboard QTabBar::tab:selected {{ background: {LINE}; color: {TEXT}; }}
#dashboard QProgressBar {{
    background: #12161a; border: 1px solid {LINE}; border-radius: 3px; text-align: center; font-size: 11px; }}
#dashboard QProgressBar::chunk {{ background: {BLUE}; border-radius: 2px; }}
#dashboard QTableWidget::item {{ padding: 0 6px; }}
#dashboard QCheckBox {{ spacing: 6px; }}
#dashboard QCheckBox::indicator {{
    width: 12px; height: 12px; border: 1px solid #66727e; border-radius: 3px; background: #12161a; }}
#dashboard QCheckBox::indicator:checked {{ background: {SKY}; }}
#dashboard QCheckBox:disabled, #dashboard QComboBox:disabled {{ color: #66717c; }}
#dashboard QScrollBar:vertical {{ background: {PANEL}; width: 10px; margin: 0; }}
#dashboard QScrollBar::handle:vertical {{ background: #475361; border-radius: 4px; min-height: 20px; }}
#dashboard QScrollBar::add-line, #dashboard QScrollBar::sub-line {{ height: 0; width: 0; }}
QToolTip {{ color: #000000; background: #f4f4e8; border: 1px solid #777777; }}
"""
