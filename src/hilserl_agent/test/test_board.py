# SPDX-License-Identifier: Apache-2.0
"""Curves, read back with TensorBoard's own reader."""

import importlib.util
import math
import os
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hilserl_agent.board import TensorBoard, make_boards
from hilserl_task import TaskError
from hilserl_task.learner_spec import WandbSpec

OFFLINE = WandbSpec(project="hilserl-test", mode="offline")


def curve(folder, axis, name):
    """(step, value) of a curve over all starts."""
    events = EventAccumulator(str(folder / axis))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def begins(gradient_steps, environment_steps):
    return {"gradient_steps": gradient_steps, "environment_steps": environment_steps}


def test_a_restart_continues_the_curves_and_takes_back_what_was_lost(tmp_path):
    board = TensorBoard(tmp_path, begins(0, 0))
    for step in (100, 200, 300, 400):
        board.scalars("gradient_steps", step, {"learner/q": step / 100})
    board.scalars("environment_steps", 350, {"running/success_rate": 0.25})
    board.close()
    board = TensorBoard(tmp_path, begins(200, 360))  # the checkpoint was at 200; no transition was lost
    board.scalars("gradient_steps", 250, {"learner/q": 7.0, "learner/entropy": math.nan})
    board.scalars("environment_steps", 380, {"running/success_rate": 0.5})
    board.close()
    assert curve(tmp_path, "gradient_steps", "learner/q") == [(100, 1.0), (200, 2.0), (250, 7.0)]
    assert curve(tmp_path, "environment_steps", "running/success_rate") == [(350, 0.25), (380, 0.5)]
    with pytest.raises(KeyError):
        curve(tmp_path, "gradient_steps", "learner/entropy")


def test_wandb_that_is_not_installed_is_one_clear_message(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TaskError, match=r"learner\.wandb: .*not installed .*; pip install wandb, or leave"):
        make_boards(tmp_path, OFFLINE, begins(0, 0))
    assert len(make_boards(tmp_path, None, begins(0, 0))) == 1


needs_wandb = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is optional")


@needs_wandb
def test_wandb_without_a_login_is_one_clear_message(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(TaskError, match=r"learner\.wandb: not logged in; run `wandb login`"):
        make_boards(tmp_path, WandbSpec(mode="online"), begins(0, 0))


@needs_wandb
def test_wandb_offline_writes_into_the_run_folder_under_one_id(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for start in range(2):
        boards = make_boards(tmp_path, OFFLINE, begins(start, start))
        for board in boards:
            board.scalars("gradient_steps", 10 + start, {"learner/q": 0.5})
            board.close()
    names = [path.name for path in (tmp_path / "wandb").glob("offline-run-*")]
    identity = (tmp_path / "wandb" / "run_id").read_text()
    assert names
    assert all(name.endswith(identity) for name in names)
    assert sum(os.path.getsize(path) for path in (tmp_path / "wandb").rglob("*.wandb")) > 0
