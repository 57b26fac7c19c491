# SPDX-License-Identifier: Apache-2.0
"""Executable `analyse`: the paper's figures from the log of a run, as PNG and SVG.

Usage: analyse --run-dir runs/latest [--out DIR] [--compare "no images=runs/other" ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from hilserl_agent.analysis.behaviour import behaviour_figure
from hilserl_agent.analysis.curves import Curve, comparison_figure, training_figure
from hilserl_agent.analysis.funnel import funnel_figure
from hilserl_agent.analysis.interventions import intervention_figure
from hilserl_agent.analysis.run_data import RunData
from hilserl_agent.analysis.style import save
from hilserl_agent.metrics import MetricsError

EXIT_INCOMPLETE, EXIT_USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line entry point: exit 0, 1 when a figure could not be made, 2 for an unusable folder."""
    options = _parse(arguments)
    try:
        run = RunData(options.run_dir)
        compared = [_named_run(text) for text in options.compare]
        out = options.out or options.run_dir / "figures"
        missing = draw_all(run, compared, out, options.name, options.formats.split(","))
    except (MetricsError, OSError) as error:
        print(f"analyse: {error}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE) from None
    raise SystemExit(EXIT_INCOMPLETE if missing else 0)


def draw_all(
    run: RunData, compared: list[tuple[str, RunData]], out: Path, name: str, formats: Sequence[str]
) -> list[str]:
    """Draws every figure that the run has data for; returns in words which it has none for."""
    figures: dict[str, Callable[[], Figure]] = {
        "training": lambda: _training(run),
        "funnel": lambda: funnel_figure(run),
        "behaviour": lambda: behaviour_figure(run),
        "interventions": lambda: intervention_figure(run),
    }
    if compared:
        figures["ablations"] = lambda: _comparison(run, compared, name)
    missing = []
    for number, (title, make) in enumerate(figures.items(), start=1):
        try:
            paths = save(make(), out, title, formats)
            print(f"[{number}/{len(figures)}] {' and '.join(map(str, paths))}", flush=True)
        except (MetricsError, ValueError) as error:
            missing.append(f"{title}: {error}")
            print(f"[{number}/{len(figures)}] {title} left out: {error}", file=sys.stderr, flush=True)
    return missing


def _training(run: RunData) -> Figure:
    title = f"{run.task.name}, profile {run.task.learner.profile}"
    return training_figure(run.training, title, run.demonstration_time_s)


def _comparison(run: RunData, compared: list[tuple[str, RunData]], name: str) -> Figure:
    curves = [Curve(name, run.training), *(Curve(label, other.training) for label, other in compared)]
    return comparison_figure(curves, run.task.name)


def _named_run(text: str) -> tuple[str, RunData]:
    label, _, folder = text.rpartition("=")
    if not label or not folder:
        raise MetricsError(f"--compare: '{text}' must be NAME=DIR; example: 'no images=runs/no_images'")
    return label, RunData(Path(folder))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="analyse", description="The paper's figures (3, 5, 6, S19) from the log of a run, PNG and SVG."
    )
    add = parser.add_argument
    add("--run-dir", type=Path, required=True, metavar="DIR", help="run folder, for example runs/latest")
    add("--out", type=Path, metavar="DIR", help="where to (default: figures in the run folder)")
    add("--formats", default="png,svg", choices=("png", "svg", "png,svg"), help="default: png,svg")
    add("--name", default="this run", help="of the run in a comparison (default: this run)")
    add(
        "--compare",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="another run in one figure with this one (ablations.png); may be repeated",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
