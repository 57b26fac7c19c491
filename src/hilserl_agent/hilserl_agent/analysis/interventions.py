# SPDX-License-Identifier: Apache-2.0
"""Fig. S19 of the paper: statistics of interventions. How often, how long, when in an episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hilserl_agent.analysis.run_data import RunData, Steps
from hilserl_agent.analysis.style import BLUE, GREY, VERMILLION, new_figure, panel
from hilserl_agent.metrics import WINDOW_EPISODES, MetricsError, running_mean


@dataclass(frozen=True)
class Intervention:
    """Steps in a row that a person decided. `episode` counts the episodes of the training from 0."""

    episode: int
    first_step: int
    steps: int


def find_interventions(steps: Steps) -> tuple[list[Intervention], int]:
    """All interventions of a training in order, and how many episodes it had."""
    found, count = [], 0
    for number, (_, part) in enumerate(steps.episodes()):
        count = number + 1
        human = np.concatenate([[False], steps.human[part], [False]]).astype(int)
        edges = np.diff(human)
        for begin, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            found.append(Intervention(number, int(steps.step[part][begin]), int(end - begin)))
    return found, count


def intervention_figure(run: RunData) -> Figure:
    """Four panels: number and length over the training, lengths early and late, when in the episode.

    Raises:
        MetricsError: no log.
    """
    found, episodes = find_interventions(run.steps)
    if not episodes:
        raise MetricsError(f"run folder '{run.folder}': no finished episode in the log")
    period_s = run.task.period_s
    figure = new_figure(10.0, 6.4)
    (number, length), (spread, when) = figure.subplots(2, 2)
    _over_training(number, length, found, episodes, period_s)
    half = episodes / 2
    parts = (("first half of the episodes", BLUE, "-", [i for i in found if i.episode < half]),
             ("second half", VERMILLION, "--", [i for i in found if i.episode >= half]))  # fmt: skip
    longest = max((i.steps for i in found), default=1)
    bins = period_s * np.arange(0, longest + 2)
    latest = max((i.first_step for i in found), default=1)
    starts = period_s * np.linspace(0, latest + 1, 21)
    for name, colour, line, chosen in parts:
        label = f"{name}: {len(chosen)}"
        options: dict[str, Any] = {"histtype": "step", "color": colour, "ls": line, "lw": 1.8, "label": label}
        spread.hist([period_s * i.steps for i in chosen], bins=bins, **options)
        when.hist([period_s * i.first_step for i in chosen], bins=starts, **options)
    panel(spread, "C", "how long")
    spread.set_xlabel("length of an intervention [s]")
    panel(when, "D", "when in the episode")
    when.set_xlabel("start of an intervention [s]")
    for axes in (spread, when):
        axes.set_ylabel("interventions")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(top=1.25 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper right")
    total = sum(i.steps for i in found)
    figure.suptitle(
        f"{run.task.name}: {len(found)} interventions in {episodes} episodes, "
        f"{total} of {len(run.steps)} steps ({total / max(1, len(run.steps)):.0%})",
        fontsize=10,
    )
    return figure


def _over_training(
    number: Axes, length: Axes, found: list[Intervention], episodes: int, period_s: float
) -> None:
    """Number and mean length of every episode, and the running means."""
    counts = [0] * episodes
    lengths: list[list[int]] = [[] for _ in range(episodes)]
    for intervention in found:
        counts[intervention.episode] += 1
        lengths[intervention.episode].append(intervention.steps)
    means = [period_s * float(np.mean(entry)) if entry else None for entry in lengths]
    order = np.arange(episodes)
    number.plot(order, counts, ".", color=BLUE, alpha=0.35, ms=5)
    number.plot(order, running_mean([float(c) for c in counts]), color=BLUE, lw=1.8)
    panel(number, "A", "how many")
    number.set_ylabel("interventions per episode")
    helped = [(at, mean) for at, mean in enumerate(means) if mean is not None]
    length.plot(*np.reshape(helped, (-1, 2)).T, ".", color=VERMILLION, alpha=0.35, ms=5)
    length.plot([at for at, _ in helped], running_mean([m for _, m in helped]), color=VERMILLION, lw=1.8)
    panel(length, "B", "how long, over the training")
    length.set_ylabel("mean length [s]")
    for axes, what in ((number, "episodes"), (length, "with interventions")):
        axes.set_xlabel("training episode")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0, right=episodes)
        axes.text(0.98, 0.95, f"line: mean of the last {WINDOW_EPISODES} {what}", transform=axes.transAxes,
                  ha="right", va="top", fontsize=9, color=GREY)  # fmt: skip
