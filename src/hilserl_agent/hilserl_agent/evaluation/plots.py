# SPDX-License-Identifier: Apache-2.0
"""Plots of an evaluation report, as SVG text: success, cycle times, and where trials began."""

from __future__ import annotations

from io import StringIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from hilserl_agent.analysis.style import BLUE, GREY, VERMILLION, new_figure
from hilserl_agent.evaluation.results import Contestant, succeeded, summarize

_WIDTH = 7.4  # inches, of a page column


def success_plot(contestants: list[Contestant]) -> str:
    """Success rate of each contestant with its Wilson interval."""
    shown = [(c.label, summarize(c)) for c in contestants if c.trials]
    figure = new_figure(_WIDTH, 0.9 + 0.45 * len(shown))
    axes = figure.subplots()
    for row, (_, summary) in enumerate(shown):
        low, high = summary["success_interval_95"]
        axes.plot([low, high], [row, row], color=BLUE, lw=2.5, solid_capstyle="butt")
        axes.plot(summary["success_rate"], row, "o", color=BLUE, ms=8)
    _named_rows(axes, [label for label, _ in shown])
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("success rate, dot; 95 % Wilson interval, line")
    return _svg(figure)


def cycle_time_plot(contestants: list[Contestant]) -> str:
    """Cycle time of every successful trial, the mean and its bootstrap interval; empty without a success."""
    shown = [(c.label, s) for c in contestants if (s := summarize(c))["cycle_times_s"]]
    if not shown:
        return ""
    figure = new_figure(_WIDTH, 0.9 + 0.55 * len(shown))
    axes = figure.subplots()
    spread = np.random.default_rng(0)
    for row, (_, summary) in enumerate(shown):
        times = summary["cycle_times_s"]
        axes.plot(times, row + spread.uniform(-0.28, 0.28, len(times)), ".", color=BLUE, alpha=0.35, ms=5)
        bounds = summary["cycle_time_interval_95_s"]
        if bounds is not None:
            axes.plot(bounds, [row, row], color=VERMILLION, lw=4, solid_capstyle="butt")
        axes.plot(summary["cycle_time_s"], row, "D", color=VERMILLION, ms=6)
    _named_rows(axes, [label for label, _ in shown])
    axes.set_xlim(left=0)
    axes.set_xlabel("cycle time of successes [s]; diamond, line: mean, 95 % bootstrap interval")
    return _svg(figure)


def start_plot(contestants: list[Contestant]) -> str:
    """Start position of every trial seen from above, failures marked; empty where positions are unknown."""
    shown = [c for c in contestants if any(row.get("base_T_start") for row in c.trials.values())]
    if not shown:
        return ""
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(_WIDTH, 3.0 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    for axes, contestant in zip(grid.flat, shown, strict=False):
        _starts(axes, contestant)
    figure.supxlabel("x in the base frame [cm]", fontsize=10)
    figure.supylabel("y in the base frame [cm]", fontsize=10)
    return _svg(figure)


def _starts(axes: Axes, contestant: Contestant) -> None:
    """One arm: the first; marks differ in shape as well as in colour."""
    for good, mark, colour, size in ((True, "o", BLUE, 4.0), (False, "X", VERMILLION, 8.0)):
        points = [
            100 * np.asarray(next(iter(row["base_T_start"].values()))[:2])
            for row in contestant.trials.values()
            if row.get("base_T_start") and succeeded(row) is good
        ]
        if points:
            x, y = np.transpose(points)
            label = f"{'success' if good else 'failure'} ({len(points)})"
            axes.plot(x, y, mark, color=colour, ms=size, ls="none", alpha=0.7, label=label)
    axes.set_title(contestant.label, fontsize=9)
    axes.set_aspect("equal", adjustable="box")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False)


def _named_rows(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="x", color=GREY, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _svg(figure: Figure) -> str:
    """The figure without XML head, for a page."""
    text = StringIO()
    figure.savefig(text, format="svg")
    content = text.getvalue()
    return content[content.index("<svg") :]
