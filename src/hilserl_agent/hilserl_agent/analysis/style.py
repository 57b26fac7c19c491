# SPDX-License-Identifier: Apache-2.0
"""One look for all figures: colours that everybody tells apart, sizes that are readable in a page column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

# Okabe-Ito palette: told apart with every common colour-vision deficiency. Lines also differ in style.
BLUE, VERMILLION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#5F5F5F"
ORANGE, SKY, PURPLE, BLACK = "#E69F00", "#56B4E9", "#CC79A7", "#000000"
HEAT = "cividis"  # even in brightness, and the same for everybody

_RC: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "svg.fonttype": "none",  # text stays text
}


def new_figure(width: float, height: float) -> Figure:
    """Figure in the house style, inches; not known to pyplot, so nothing has to be closed."""
    matplotlib.rcParams.update(_RC)
    return Figure(figsize=(width, height), layout="constrained")


def share_axis(axes: Axes, label: str) -> None:
    """A y axis from 0 to 100 %."""
    axes.set_ylabel(label)
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def panel(axes: Axes, letter: str, title: str) -> None:
    """Letter and title above a panel, as in a paper."""
    axes.set_title(f"{letter}  {title}" if letter else title, loc="left", fontweight="bold", fontsize=10)


def save(figure: Figure, folder: Path, name: str, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Writes name.png and name.svg, or only some of them; returns the files.

    Raises:
        OSError: not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{kind}" for kind in formats]
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths
