# SPDX-License-Identifier: Apache-2.0
"""Curves of training: TensorBoard always, Weights & Biases where the task asks for it.

A restart continues the same curves. What a killed learner had drawn beyond the point that it resumes from is
taken back in TensorBoard; wandb cannot take back.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from torch.utils.tensorboard import SummaryWriter

from hilserl_task import TaskError
from hilserl_task.learner_spec import WandbSpec

Axis = Literal["gradient_steps", "environment_steps"]
AXES: tuple[Axis, ...] = ("gradient_steps", "environment_steps")
_FLUSH_S = 10  # by a thread of TensorBoard's writer
# Scalars that may wait for that thread: two minutes of them, so that a slow disk never holds an update up.
_QUEUED = 5000


class Board(Protocol):
    """Where curves are drawn."""

    def scalars(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        """One point of every curve at `step` of an axis; NaN leaves a gap.

        Raises:
            OSError: not writable.
        """

    def close(self) -> None:
        """Writes what is pending."""


class TensorBoard:
    """Event files, one folder an axis: `tensorboard --logdir <folder>`.

    Args:
        folder: made if it is not there.
        begins_at: last step of every axis that stays; later points of an earlier start are taken back.
    """

    def __init__(self, folder: Path, begins_at: Mapping[Axis, int]) -> None:
        self._writers = {
            axis: SummaryWriter(
                str(folder / axis),
                purge_step=begins_at[axis] + 1,
                max_queue=_QUEUED,
                flush_secs=_FLUSH_S,
            )
            for axis in AXES
        }

    def scalars(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        """See Board."""
        for name, value in _known(values).items():
            self._writers[axis].add_scalar(name, value, step)

    def close(self) -> None:
        """See Board."""
        for writer in self._writers.values():
            writer.close()


class Wandb:
    """Weights & Biases. Its own process talks to the server, so updates never wait for the network.

    Args:
        spec: project and mode.
        run_dir: run id and, in mode offline, all data (`wandb sync <run_dir>/wandb/offline-*`).

    Raises:
        TaskError: not installed, not logged in, or the server refuses.
    """

    def __init__(self, spec: WandbSpec, run_dir: Path) -> None:
        off = "or leave learner.wandb out; TensorBoard is written anyway"
        try:
            import wandb
        except ImportError as error:
            raise TaskError(
                f"learner.wandb: the package is not installed ({error}); pip install wandb, {off}"
            ) from error
        try:
            if spec.mode == "online" and not wandb.login(prompt=False):
                raise TaskError(
                    "learner.wandb: not logged in; run `wandb login`, set WANDB_API_KEY, "
                    f"use learner.wandb.mode: offline, {off}"
                )
            self._run = wandb.init(
                project=spec.project,
                mode=spec.mode,
                dir=str(run_dir),
                id=_run_id(run_dir),
                name=run_dir.name,
                resume="allow",
                settings=wandb.Settings(console="off"),
            )
        except wandb.errors.Error as error:
            raise TaskError(f"learner.wandb: {error}; mend that, {off}") from error
        for axis in AXES:
            self._run.define_metric(f"{axis}/*", step_metric=axis)

    def scalars(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        """See Board."""
        self._run.log({axis: step} | {f"{axis}/{name}": value for name, value in _known(values).items()})

    def close(self) -> None:
        """See Board."""
        self._run.finish()


def make_boards(run_dir: Path, wandb: WandbSpec | None, begins_at: Mapping[Axis, int]) -> list[Board]:
    """The boards of a run.

    Raises:
        TaskError: wandb is wanted and cannot be used.
    """
    chosen: list[Board] = [] if wandb is None else [Wandb(wandb, run_dir)]
    return [TensorBoard(run_dir / "tensorboard", begins_at), *chosen]


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _run_id(run_dir: Path) -> str:
    """The same id over all starts of a run."""
    path = run_dir / "wandb" / "run_id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid.uuid4().hex[:8], encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
