# SPDX-License-Identifier: Apache-2.0
"""One page about a trained classifier: confusion, calibration, thresholds, distribution of probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

matplotlib.use("Agg")

# Okabe and Ito: told apart by colour-blind readers.
BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#222222", "#999999"
SHADES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")


def write_page(
    path: Path, report: dict[str, Any], probabilities: NDArray[np.floating], kinds: NDArray[np.integer]
) -> None:
    """Draws the page as PNG.

    Args:
        report: what report.json holds.
        probabilities: held-out, [N] of success or [N, C] of the classes.
        kinds: [N] truth, 0 and 1 or class numbers.

    Raises:
        OSError: not writable.
    """
    figure = Figure(figsize=(10.5, 8.2), layout="constrained")
    figure.suptitle(_heading(report), fontsize=11, x=0.01, ha="left")
    (confusion, calibration), (thresholds, distribution) = figure.subplots(2, 2)
    _draw_confusion(confusion, report)
    _draw_calibration(calibration, report["calibration"], bool(report["classes"]))
    _draw_thresholds(thresholds, report)
    _draw_distribution(distribution, report, probabilities, kinds)
    figure.savefig(path, dpi=110)


def _heading(report: dict[str, Any]) -> str:
    labels = ", ".join(f"{count} {name}" for name, count in report["labels_of_class"].items())
    recommended = report["recommended_threshold"]
    return (
        f"Reward classifier: {report['accuracy']:.1%} of the held-out frames right "
        f"(required {report['minimum_accuracy']:.1%})\n"
        f"{labels} frames in {report['episodes']} episodes, {report['held_out_episodes']} episodes held out, "
        f"{report['new_frames']} frames new since the model before\n"
        f"threshold of the task {report['threshold']:g}; recommended {recommended['threshold']:g} "
        f"(precision {recommended['precision']:.1%}, recall {recommended['recall']:.1%})"
    )


def _draw_confusion(axes: Any, report: dict[str, Any]) -> None:
    matrix, names = np.array(report["confusion_matrix"]), list(report["labels_of_class"])
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(matrix.shape):
        colour = "white" if shares[row, column] > 0.5 else BLACK
        text = f"{matrix[row, column]}\n{shares[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="judged", ylabel="labelled", title="Held-out frames")


def _draw_calibration(axes: Any, calibration: dict[str, Any], classes: bool) -> None:
    bins = calibration["bins"]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="as sure as right")
    probabilities = [part["probability"] for part in bins]
    shares = [part["share"] for part in bins]
    axes.plot(probabilities, shares, color=BLUE, marker="o", label="classifier")
    for part in bins:
        position = (part["probability"], part["share"])
        below = position[1] > 0.5
        offset = (0, -14) if below else (0, 7)
        axes.annotate(
            str(part["frames"]), position, xytext=offset, textcoords="offset points", ha="center", fontsize=8
        )
    what = "likeliest class" if classes else "success"
    axes.set(
        xlabel=f"probability of {what}",
        ylabel="share of frames where it is true",
        title=f"Calibration (numbers: frames; mean error {calibration['expected_error']:.3f})",
        xlim=(-0.06, 1.06),
        ylim=(-0.1, 1.1),
    )
    axes.legend(loc="upper left", fontsize=8)


def _draw_thresholds(axes: Any, report: dict[str, Any]) -> None:
    table = report["thresholds"]
    x = [row["threshold"] for row in table]
    axes.plot(x, [row["precision"] for row in table], color=BLUE, label="precision: what counts is true")
    axes.plot(
        x,
        [row["recall"] for row in table],
        color=ORANGE,
        linestyle="--",
        label="recall: what is true counts",
    )
    axes.axvline(report["threshold"], color=BLACK, linewidth=1, label=f"task {report['threshold']:g}")
    recommended = report["recommended_threshold"]["threshold"]
    axes.axvline(recommended, color=GREEN, linestyle="-.", label=f"recommended {recommended:g}")
    low = min(min(row["precision"], row["recall"]) for row in table)
    axes.set(
        xlabel="threshold (probability)",
        ylabel="share of frames",
        title="Threshold",
        ylim=(max(0.0, low - 0.08), 1.01),
    )
    axes.legend(loc="lower left", fontsize=8)


def _draw_distribution(
    axes: Any, report: dict[str, Any], probabilities: NDArray[np.floating], kinds: NDArray[np.integer]
) -> None:
    shown = probabilities if probabilities.ndim == 1 else probabilities.max(1)
    edges = np.linspace(0, 1, 26)
    for number, name in enumerate(report["labels_of_class"]):
        axes.hist(
            shown[kinds == number],
            edges,
            histtype="step",
            linewidth=1.8,
            linestyle=("-", "--", "-.", ":")[number % 4],
            color=SHADES[number % len(SHADES)],
            label=f"labelled {name}",
        )
    axes.axvline(report["threshold"], color=BLACK, linewidth=1)
    what = "success" if probabilities.ndim == 1 else "the likeliest class"
    axes.set(xlabel=f"probability of {what}", ylabel="held-out frames", title="Distribution", yscale="log")
    axes.legend(fontsize=8)
