# SPDX-License-Identifier: Apache-2.0
"""Fig. 5 of the paper: where the robot has been, how good the critics find it, how much the action matters.

Columns are snapshots over the training; each shows the steps that came in since the column before, judged by
the critics of that snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from hilserl_agent.analysis.run_data import Array, RunData
from hilserl_agent.analysis.style import HEAT, new_figure
from hilserl_agent.metrics import MetricsError
from hilserl_learning.snapshot import NOISE, NOISE_SAMPLES, AgentSnapshot

COLUMNS = 5
BINS = 40


def funnel_figure(run: RunData) -> Figure:
    """State visitation, Q variance (eq. 1) and Q value in the y-z plane over the training.

    Raises:
        MetricsError: the run has no snapshots or no log.
    """
    snapshots = pick_snapshots(run.snapshots, len(run.steps))
    if not snapshots:
        raise MetricsError(
            f"run folder '{run.folder}': has no snapshots of the critics (snapshots/*.safetensors); runs "
            "trained before they were kept have none, train again"
        )
    positions, in_base = run.positions
    centimetres = 100 * positions
    windows = _windows(snapshots)
    values = [_judged(run, snapshot, window) for snapshot, window in zip(snapshots, windows, strict=True)]
    figure = new_figure(2.5 * len(snapshots) + 1.4, 7.6)
    grid = figure.subplots(3, len(snapshots), sharex=True, sharey=True, squeeze=False)
    limits = _limits(centimetres[: windows[-1].stop])
    _visits(figure, grid[0], centimetres, windows, limits)
    spread = [variance for _, variance in values]
    low, top = (max(float(bound), 1e-12) for bound in np.quantile(np.concatenate(spread), [0.05, 0.99]))
    norm = LogNorm(low, max(top, 1.01 * low), clip=True)
    label = f"Var Q, action noise ±{NOISE:g},\n{NOISE_SAMPLES} samples"
    _scatter(figure, grid[1], centimetres, windows, spread, label, norm)
    _scatter(figure, grid[2], centimetres, windows, [q for q, _ in values], "Q value", None)
    for axes, snapshot, window in zip(grid[0], snapshots, windows, strict=True):
        cycle, last = snapshot.about["cycle"], window.stop
        axes.set_title(f"steps {window.start + 1}–{last}\n{cycle} update cycles", fontsize=9)
    for axes, name in zip(grid[:, 0], ("A  visits", "B  Q variance", "C  Q value"), strict=True):
        axes.set_ylabel(f"{name}\n{_axis('z', in_base)}")
    figure.supxlabel(_axis("y", in_base), fontsize=10)
    return figure


def pick_snapshots(snapshots: Sequence[AgentSnapshot], steps: int) -> list[AgentSnapshot]:
    """At most `COLUMNS`, evenly spread over the steps of the training, the newest always among them."""
    usable = [s for s in snapshots if 0 < s.about["inserted"] <= steps]
    if not usable:
        return []
    newest = usable[-1].about["inserted"]
    wanted = [newest * (column + 1) / COLUMNS for column in range(COLUMNS)]
    nearest = {min(range(len(usable)), key=lambda i: abs(usable[i].about["inserted"] - w)) for w in wanted}
    return [usable[index] for index in sorted(nearest)]


def _windows(snapshots: Sequence[AgentSnapshot]) -> list[slice]:
    """Steps that came in since the snapshot before."""
    ends = [int(snapshot.about["inserted"]) for snapshot in snapshots]
    return [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def _judged(run: RunData, snapshot: AgentSnapshot, window: slice) -> tuple[Array, Array]:
    """Q of the executed actions and its variance under noise, of the steps in a window."""
    steps = run.steps
    given = steps.features[window], steps.state[window], steps.action[window]
    return snapshot.value(*given), snapshot.value_variance(*given)


def _visits(
    figure: Figure, row: Sequence[Axes], centimetres: Array, windows: list[slice], limits: tuple[Array, Array]
) -> None:
    bins = [np.linspace(limit[0], limit[1], BINS + 1) for limit in limits]
    counts = [np.histogram2d(centimetres[w, 1], centimetres[w, 2], bins=bins)[0] for w in windows]
    norm = LogNorm(1, max(float(count.max()) for count in counts) or 1)
    for axes, count in zip(row, counts, strict=True):
        drawn = np.ma.masked_equal(count.T, 0)
        mesh = axes.pcolormesh(bins[0], bins[1], drawn, norm=norm, cmap=HEAT, rasterized=True)
    figure.colorbar(mesh, ax=list(row), label="visits per cell", pad=0.01)


def _scatter(
    figure: Figure,
    row: Sequence[Axes],
    centimetres: Array,
    windows: list[slice],
    values: list[Array],
    label: str,
    norm: LogNorm | None,
) -> None:
    """Points coloured by value, one scale for all columns; the highest are drawn last."""
    joined = np.concatenate(values)
    options: dict[str, Any] = {"s": 5, "cmap": HEAT, "norm": norm, "lw": 0, "rasterized": True}
    options |= {} if norm else {"vmin": float(np.quantile(joined, 0.01)), "vmax": float(joined.max())}
    for axes, window, value in zip(row, windows, values, strict=True):
        order = np.argsort(value)
        place = centimetres[window][order]
        points = axes.scatter(place[:, 1], place[:, 2], c=value[order], **options)
    figure.colorbar(points, ax=list(row), label=label, pad=0.01)


def _limits(centimetres: Array) -> tuple[Array, Array]:
    """y and z range that holds all but strays, with a margin."""
    ranges = np.quantile(centimetres[:, 1:], [0.002, 0.998], axis=0)
    margin = 0.06 * (ranges[1] - ranges[0]) + 0.05
    return (np.array([ranges[0, 0] - margin[0], ranges[1, 0] + margin[0]])), (
        np.array([ranges[0, 1] - margin[1], ranges[1, 1] + margin[1]])
    )


def _axis(name: str, in_base: bool) -> str:
    return f"{name} of the tool [cm]" if in_base else f"{name} from the start, its axes [cm]"
