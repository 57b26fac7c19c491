# SPDX-License-Identifier: Apache-2.0
"""Bags in folders: which there are, and copying, moving and renaming them whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from hilserl_ros.bags import BagError, episode_paths, is_bag
from hilserl_task import Task, TaskError


def bags_of(folder: Path) -> list[Path]:
    """A bag itself, or all bags of a folder by name.

    Raises:
        BagError: there is none.
    """
    paths = [folder] if is_bag(folder) else episode_paths(folder)
    if not paths:
        raise BagError(f"bags: folder {folder} holds no episodes")
    return paths


@contextmanager
def all_or_none() -> Iterator[list[Path]]:
    """Of the new bags put into the list none stays when the block fails, by Ctrl-C too."""
    made: list[Path] = []
    try:
        yield made
    except BaseException:
        for path in made:
            shutil.rmtree(path, ignore_errors=True)
        raise


def copy_bag(source: Path, target: Path) -> None:
    """Copies a bag under another name; `target` appears only when it is complete.

    Raises:
        BagError: `target` exists, or nothing can be written; nothing of it is left then.
    """
    if target.exists():
        raise BagError(f"bag {target}: exists already and is not overwritten")
    partial = target.parent / f".partial-{os.getpid()}-{target.name}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        _name_files(partial, target.name)
        partial.rename(target)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise BagError(f"bag {target}: not writable: {error}; nothing of it was kept") from error


def rename_bag(bag: Path, target: Path) -> None:
    """Moves a bag within a disk; files inside get the new name, as rosbag2 has it. Raises as copy_bag."""
    copy_bag(bag, target)
    shutil.rmtree(bag)


def task_of(metadata: dict[str, str], bag: Path) -> Task:
    """The task a bag was recorded with.

    Raises:
        BagError: it has none, or one that this version does not understand.
    """
    try:
        return Task.model_validate(yaml.safe_load(metadata["task_yaml"]))
    except (KeyError, ValueError, TaskError, yaml.YAMLError) as error:
        raise BagError(f"bag {bag}: its task file is missing or not understood: {error}") from error


def _name_files(folder: Path, name: str) -> None:
    """Names the data files after the bag, on disk and in metadata.yaml."""
    file = folder / "metadata.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    info = content["rosbag2_bagfile_information"]
    several = len(info["relative_file_paths"]) > 1
    for number, old in enumerate(info["relative_file_paths"]):
        new = f"{name}{f'_{number}' if several else ''}{Path(old).suffix}"
        if new != old:
            (folder / old).rename(folder / new)
        info["relative_file_paths"][number] = new
        for entry in info.get("files", []):
            entry["path"] = new if entry["path"] == old else entry["path"]
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
