# SPDX-License-Identifier: Apache-2.0
"""Fig. 6 of the paper: mean and standard deviation of the policy along successful episodes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hilserl_agent.analysis.run_data import RunData
from hilserl_agent.analysis.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    new_figure,
    panel,
)
from hilserl_agent.metrics import MetricsError
from hilserl_task import Task

EPISODES = 3
_TWIST_AXES = ("x", "y", "z", "about x", "about y", "about z")
_WRENCH_AXES = ("force x", "force y", "force z", "torque x", "torque y", "torque z")
_COLOURS = (VERMILLION, GREEN, BLUE, ORANGE, PURPLE, BLACK)


def behaviour_figure(run: RunData) -> Figure:
    """Standard deviation above, mean below, of the newest snapshot in the last three successes on its own.

    Raises:
        MetricsError: no snapshots, no log, or no success without intervention.
    """
    if not run.snapshots:
        raise MetricsError(f"run folder '{run.folder}': has no snapshots of the policy; train again")
    chosen = successful_episodes(run)[-EPISODES:]
    if not chosen:
        raise MetricsError(
            f"run folder '{run.folder}': no successful episode without intervention in the log; train longer"
        )
    snapshot, steps = run.snapshots[-1], run.steps
    figure = new_figure(3.3 * len(chosen) + 0.6, 5.4)
    grid = figure.subplots(2, len(chosen), sharex="col", sharey="row", squeeze=False)
    for column, (episode, part) in enumerate(chosen):
        mean, std = snapshot.gaussian(steps.features[part], steps.state[part])
        seconds = run.task.period_s * np.arange(len(mean))
        for value, (name, axis) in enumerate(policy_axes(run.task)):
            line = "-" if axis < 3 else "--"
            for row, numbers in enumerate((std, mean)):
                plot = grid[row, column].plot
                plot(seconds, numbers[:, value], color=_COLOURS[axis], ls=line, label=name, lw=1.6)
        panel(grid[0, column], "", f"episode {episode}")
        grid[1, column].set_xlabel("time in the episode [s]")
    grid[0, 0].set_ylabel("A  standard deviation\n(before squashing)")
    grid[0, 0].set_ylim(bottom=0)
    grid[1, 0].set_ylabel("B  mean action\n(of full scale)")
    grid[1, 0].set_ylim(-1.05, 1.05)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=6, frameon=False, title=_axes_of(run.task)
    )
    return figure


def successful_episodes(run: RunData) -> list[tuple[int, slice]]:
    """Episodes that ended with reward and without any step by a person: number, and where their steps are."""
    steps = run.steps
    return [
        (episode, part)
        for (_, episode), part in steps.episodes()
        if steps.reward[part.stop - 1] > 0 and not steps.human[part].any()
    ]


def policy_axes(task: Task) -> list[tuple[str, int]]:
    """Of every value of the policy: its name, with several arms also whose it is, and which of six axes."""
    found = []
    for arm in task.arms:
        names = _TWIST_AXES if arm.action.type == "twist" else _WRENCH_AXES
        whose = "" if len(task.arms) == 1 else f"{arm.name} "
        found += [(whose + names[axis], axis) for axis in arm.action.axes]
    return found


def _axes_of(task: Task) -> str:
    in_base = {arm.action.type == "wrench" and arm.action.frame == "base" for arm in task.arms}
    if len(in_base) > 1:
        return "axes of each arm's action"
    return "base axes" if in_base.pop() else "tool axes"
