# SPDX-License-Identifier: Apache-2.0
"""Pictures of a run: training curves as in the paper's Fig. 3, and what the cameras saw in an episode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio.v2 as imageio
import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")  # no display needed

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from hilserl_agent.metrics import WINDOW_EPISODES, Row, running_mean

# Okabe-Ito palette: told apart with every common colour-vision deficiency. The curves also differ in style.
BLUE, VERMILLION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#5F5F5F"

Image = NDArray[np.uint8]


def training_curves(path: Path, rows: Sequence[Row], title: str, demo_cycle_time_s: float | None) -> None:
    """Success, intervention rate and cycle time over training time, one PNG with three panels.

    Args:
        path: PNG file.
        rows: rows of episodes.jsonl of the training phase, oldest first; discarded ones are left out.
        title: heading.
        demo_cycle_time_s: mean of the demonstrations, drawn dashed; None where it is not known.

    Raises:
        ValueError: no row is left to draw.
    """
    kept = [row for row in rows if not row["discarded"]]
    if not kept:
        raise ValueError("training curves: no finished training episode to draw")
    minutes = [row["wall_s"] / 60 for row in kept]
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7.2, 8.4), layout="constrained")
    _success_panel(axes[0], minutes, kept)
    _intervention_panel(axes[1], minutes, kept)
    _cycle_panel(axes[2], minutes, kept, demo_cycle_time_s)
    axes[2].set_xlabel("training time [min]")
    axes[2].set_xlim(0, max(minutes) * 1.02 or 1)
    figure.suptitle(title, fontsize=12)
    figure.align_ylabels()
    steps = sum(row["steps"] for row in kept)
    figure.supxlabel(
        f"{len(kept)} episodes, {steps} steps. Lines: mean of the last {WINDOW_EPISODES} episodes, "
        "dots: single episodes.",
        fontsize=9,
        color=GREY,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _success_panel(axes: Axes, minutes: list[float], rows: list[Row]) -> None:
    reward = [float(row["outcome"] == "success") for row in rows]
    autonomous = [float(row["outcome"] == "success" and row["intervention_steps"] == 0) for row in rows]
    axes.plot(minutes, reward, ".", color=BLUE, alpha=0.3, markersize=5)
    axes.plot(minutes, running_mean(reward), color=BLUE, label="success")
    axes.plot(minutes, running_mean(autonomous), "--", color=GREEN, label="success without intervention")
    _share_axis(axes, "success rate")
    _legend_above(axes)


def _intervention_panel(axes: Axes, minutes: list[float], rows: list[Row]) -> None:
    share = [row["intervention_steps"] / row["steps"] if row["steps"] else None for row in rows]
    axes.plot(
        minutes, [np.nan if s is None else s for s in share], ".", color=VERMILLION, alpha=0.3, markersize=5
    )
    axes.plot(minutes, _step_weighted_rate(rows), color=VERMILLION, label="steps decided by the operator")
    _share_axis(axes, "intervention rate")
    _legend_above(axes)


def _cycle_panel(axes: Axes, minutes: list[float], rows: list[Row], demo_cycle_time_s: float | None) -> None:
    cycle = [row["duration_s"] if row["outcome"] == "success" else None for row in rows]
    axes.plot(minutes, [np.nan if c is None else c for c in cycle], ".", color=BLUE, alpha=0.3, markersize=5)
    axes.plot(minutes, running_mean(cycle), color=BLUE, label="successful episodes")
    if demo_cycle_time_s is not None:
        axes.axhline(
            demo_cycle_time_s, ls="--", color=GREY, label=f"demonstrations, mean {demo_cycle_time_s:.1f} s"
        )
    axes.set_ylabel("cycle time [s]")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    """Beside the curves, never on them."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.97), ncols=2, frameon=False, fontsize=9)


def _share_axis(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3)


def _step_weighted_rate(rows: list[Row]) -> list[float]:
    """Intervened steps / steps of the last window, at every episode (summary.json has the last one)."""
    rates = []
    for end in range(1, len(rows) + 1):
        last = rows[max(0, end - WINDOW_EPISODES) : end]
        steps = sum(row["steps"] for row in last)
        rates.append(sum(row["intervention_steps"] for row in last) / steps if steps else np.nan)
    return rates


def episode_strip(
    path: Path, frames: Sequence[Image], period_s: float, camera_names: Sequence[str], title: str
) -> None:
    """Frames of one episode side by side, a row for each camera, time above, as PNG.

    Args:
        path: PNG file.
        frames: observations 0..T, each [n_cam, H, W, 3] uint8 RGB.
        period_s: time between observations.
        camera_names: names of the camera axis.
        title: heading.

    Raises:
        ValueError: no frame.
        OSError: the file cannot be written.
    """
    if not frames:
        raise ValueError("episode strip: no frame to draw")
    count = min(len(frames), 8)
    chosen = [round(index) for index in np.linspace(0, len(frames) - 1, count)]
    n_cam, height, width = frames[0].shape[:3]
    margin, header, gap = 84, 46, 4
    canvas = np.full((header + n_cam * (height + gap), margin + count * (width + gap), 3), 255, np.uint8)
    _text(canvas, title, 6, 17, 0.5)
    for camera, name in enumerate(camera_names):
        _text(canvas, name, 6, header + camera * (height + gap) + height // 2, 0.45)
    for column, index in enumerate(chosen):
        left = margin + column * (width + gap)
        _text(canvas, f"{index * period_s:.1f} s", left + 2, header - 6, 0.45)
        for camera in range(n_cam):
            top = header + camera * (height + gap)
            canvas[top : top + height, left : left + width] = frames[index][camera]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR)):
        raise OSError(f"episode strip {path}: cannot be written")


def episode_video(path: Path, frames: Sequence[Image], period_s: float, scale: int = 2) -> None:
    """Frames of one episode as H.264 MP4, cameras side by side, in real time.

    Raises:
        ValueError: no frame.
        OSError: the encoder failed.
    """
    if not frames:
        raise ValueError("episode video: no frame")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio.get_writer(
        path,
        format="FFMPEG",
        fps=1 / period_s,
        codec="libx264",
        macro_block_size=16,
        ffmpeg_log_level="error",
    )
    with writer:
        for frame in frames:
            wide = np.concatenate(list(frame), axis=1)
            size = (wide.shape[1] * scale, wide.shape[0] * scale)
            writer.append_data(cv2.resize(wide, size, interpolation=cv2.INTER_CUBIC))


def _text(canvas: Image, text: str, x: int, y: int, size: float) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 1, cv2.LINE_AA)
