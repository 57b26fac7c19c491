# SPDX-License-Identifier: Apache-2.0
"""Fig. 3 of the paper: success, cycle time and intervention rate over training, running over 20 episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hilserl_agent.analysis.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILLION,
    new_figure,
    panel,
    share_axis,
)
from hilserl_agent.metrics import WINDOW_EPISODES, Row, running_mean

_LINES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"), (ORANGE, (0, (5, 1, 1, 1, 1, 1))))


@dataclass(frozen=True)
class Curve:
    """One training: its name, its rows of episodes (discarded ones left out), oldest first."""

    name: str
    rows: Sequence[Row]


def training_figure(rows: Sequence[Row], title: str, demonstration_time_s: float | None) -> Figure:
    """Three panels over training time, single episodes as dots.

    Args:
        rows: of training episodes; discarded ones are left out.
        title: heading.
        demonstration_time_s: mean of the demonstrations, dashed; None where it is not known.

    Raises:
        ValueError: no row is left to draw.
    """
    kept = [row for row in rows if not row["discarded"]]
    if not kept:
        raise ValueError("training curves: no finished training episode to draw")
    figure = new_figure(10.5, 4.1)
    success, cycle, human = figure.subplots(1, 3, sharex=True)
    minutes = [row["wall_s"] / 60 for row in kept]
    _dots_and_line(success, minutes, kept, _success, BLUE, "success")
    autonomous = running_mean([_autonomous(row) for row in kept])
    success.plot(minutes, autonomous, "--", color=GREEN, label="without intervention")
    share_axis(success, "success rate")
    _dots_and_line(cycle, minutes, kept, _cycle_time, BLUE, "successful episodes")
    if demonstration_time_s is not None:
        label = f"demonstrations, {demonstration_time_s:.1f} s"
        cycle.axhline(demonstration_time_s, ls="--", color=GREY, label=label)
    _seconds_axis(cycle)
    _dots_and_line(human, minutes, kept, _intervention, VERMILLION, "steps by the person")
    share_axis(human, "intervention rate")
    for axes, letter, name in zip((success, cycle, human), "ABC", _PANELS, strict=True):
        panel(axes, letter, name)
        axes.set_xlabel("training time [min]")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)
    success.set_xlim(0, max(minutes) * 1.02 or 1)
    steps = sum(row["steps"] for row in kept)
    figure.suptitle(
        f"{title}: {len(kept)} episodes, {steps} steps; lines: mean of the last {WINDOW_EPISODES} episodes",
        fontsize=10,
    )
    return figure


def comparison_figure(curves: Sequence[Curve], title: str) -> Figure:
    """The same panels for several trainings, over environment steps: machines differ in speed.

    Raises:
        ValueError: a training without finished episode, or more of them than there are line styles.
    """
    if len(curves) > len(_LINES):
        raise ValueError(f"comparison: {len(curves)} trainings, at most {len(_LINES)} fit into one figure")
    figure = new_figure(10.5, 4.0)
    grid = figure.subplots(1, 3, sharex=True)
    values = (_autonomous, _cycle_time, _intervention)
    for curve, (colour, line) in zip(curves, _LINES, strict=False):
        if not curve.rows:
            raise ValueError(f"comparison: '{curve.name}' has no finished training episode")
        steps = np.cumsum([row["steps"] for row in curve.rows])
        for axes, value in zip(grid, values, strict=True):
            mean = running_mean([value(row) for row in curve.rows])
            axes.plot(steps, mean, ls=line, color=colour, lw=1.8, label=curve.name)
    share_axis(grid[0], "success rate without intervention")
    _seconds_axis(grid[1])
    share_axis(grid[2], "intervention rate")
    for axes, letter, name in zip(grid, "ABC", _PANELS, strict=True):
        panel(axes, letter, name)
        axes.set_xlabel("environment steps")
    grid[0].set_xlim(left=0)
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"{title}; mean of the last {WINDOW_EPISODES} episodes", fontsize=10)
    return figure


_PANELS = ("success", "cycle time", "interventions")


def _dots_and_line(
    axes: Axes,
    minutes: list[float],
    rows: Sequence[Row],
    value: Callable[[Row], float | None],
    colour: str,
    label: str,
) -> None:
    values = [value(row) for row in rows]
    axes.plot(minutes, [np.nan if v is None else v for v in values], ".", color=colour, alpha=0.3, ms=4)
    axes.plot(minutes, running_mean(values), color=colour, lw=1.8, label=label)


def _seconds_axis(axes: Axes) -> None:
    axes.set_ylabel("cycle time of successes [s]")
    axes.set_ylim(bottom=0)


def _success(row: Row) -> float:
    return float(row["outcome"] == "success")


def _autonomous(row: Row) -> float:
    return float(row["outcome"] == "success" and row["intervention_steps"] == 0)


def _cycle_time(row: Row) -> float | None:
    return float(row["duration_s"]) if row["outcome"] == "success" else None


def _intervention(row: Row) -> float | None:
    """Ratio of intervened to all steps of an episode, as the paper counts."""
    return row["intervention_steps"] / row["steps"] if row["steps"] else None
