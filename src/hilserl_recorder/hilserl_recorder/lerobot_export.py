# SPDX-License-Identifier: Apache-2.0
"""Bags to a LeRobotDataset v3.0.

Frame k is observation k with action k. LeRobot has no place for the observation after the last action; it is
kept in `meta/hilserl`, which LeRobot ignores, with the metadata of the bags: an import gets all of it back.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hilserl_recorder import lerobot_format as layout
from hilserl_recorder.folders import task_of
from hilserl_recorder.merge import check_same_task
from hilserl_recorder.progress import track
from hilserl_ros.bags import Bag, BagError, EpisodeData, read_bag
from hilserl_ros.episode_data import OBSERVATION
from hilserl_task import Task

_MB = 2**20
_CODEC, _PIXELS, _QUALITY, _KEY_FRAMES = (
    "libx264",
    "yuv420p",
    "18",
    "2",
)  # lerobot, too, has a key frame every 2
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def export(bags: Sequence[Path], out: Path, video: bool) -> int:
    """Writes a dataset; `out` appears only when it is complete.

    Args:
        video: pictures as H.264 video (small, not exact); else as PNG (exact).

    Returns:
        number of frames.

    Raises:
        BagError: `out` exists, a bag is unreadable or of another task, or the disk is full.
    """
    if out.exists():
        raise BagError(f"export: {out} exists already and is not overwritten; example: --out datasets/ram")
    check_same_task(bags)
    task = task_of(read_bag(bags[0]).metadata, bags[0])
    fps = round(1 / task.period_s)
    if abs(fps * task.period_s - 1) > 1e-6:
        raise BagError(
            f"export: period_s {task.period_s} is no whole number of frames a second; example: 0.1"
        )
    partial = out.parent / f".partial-{os.getpid()}-{out.name}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        frames = _Dataset(partial, task, fps, video).write(bags)
        partial.rename(out)
    except (OSError, pa.ArrowException) as error:
        raise BagError(f"export: {out} not writable: {error}; nothing of it was kept") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return frames


class _Dataset:
    """A dataset being written below `root`."""

    def __init__(self, root: Path, task: Task, fps: int, video: bool) -> None:
        self._root, self._task, self._fps, self._video = root, task, fps, video
        self._cameras = [camera.name for camera in task.cameras]
        about = _video_info(task, fps) if video else None
        self._features = layout.features(task, about)
        self._lengths: list[int] = []
        self._rows: list[dict[str, Any]] = []
        self._extra: list[dict[str, Any]] = []
        self._sums: dict[str, list[NDArray[Any]]] = {}

    def write(self, bags: Sequence[Path]) -> int:
        """Everything; returns the number of frames."""
        data = _DataFiles(self._root)
        videos = {
            name: _VideoFile(self._root, name, self._task, self._fps) for name in self._cameras if self._video
        }
        try:
            for bag in track(bags, "exporting"):
                self._add(read_bag(bag), data, videos)
        finally:
            data.close()
            for one in videos.values():
                one.close()
        self._write_meta()
        return sum(self._lengths)

    def _add(self, bag: Bag, data: _DataFiles, videos: dict[str, _VideoFile]) -> None:
        episode = bag.episode()
        poses = _poses(bag, episode.steps)
        number, first = len(self._lengths), sum(self._lengths)
        columns = self._columns(episode, poses, number, first)
        pictures = {f"{layout.IMAGES}{name}": episode.images[:-1, c] for c, name in enumerate(self._cameras)}
        stored = {} if self._video else {key: _png_column(values) for key, values in pictures.items()}
        place = data.write(_table({**columns, **stored}, self._features))
        for c, one in enumerate(videos.values()):
            one.write(episode.images[:-1, c])
        self._row(number, first, episode.steps, place, {**columns, **pictures})
        self._keep_rest(bag, episode, poses, number)
        self._lengths.append(episode.steps)

    def _columns(
        self, episode: EpisodeData, poses: NDArray[np.float64], number: int, first: int
    ) -> dict[str, NDArray[Any]]:
        """Everything but the pictures, (T,) or (T, n) each."""
        steps = np.arange(episode.steps)
        return {
            layout.STATE: episode.states[:-1],
            layout.POSE: poses[:-1].reshape(episode.steps, -1),
            layout.ACTION: episode.actions,
            layout.REWARD: episode.rewards,
            layout.DONE: steps == episode.steps - 1,
            layout.SOURCE: episode.sources.astype(np.int64),
            "timestamp": (steps / self._fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full_like(steps, number),
            "index": first + steps,
            "task_index": np.zeros_like(steps),
        }

    def _row(
        self, number: int, first: int, steps: int, place: dict[str, int], values: dict[str, Any]
    ) -> None:
        """A row of meta/episodes."""
        row: dict[str, Any] = {
            "episode_index": number, "tasks": [_sentence(self._task)], "length": steps, **place,
            "dataset_from_index": first, "dataset_to_index": first + steps,
        }  # fmt: skip
        for name in self._cameras if self._video else ():
            key = f"videos/{layout.IMAGES}{name}"
            row |= {f"{key}/chunk_index": 0, f"{key}/file_index": 0}
            row |= {f"{key}/from_timestamp": first / self._fps}
            row |= {f"{key}/to_timestamp": (first + steps) / self._fps}
        for name, value in values.items():
            self._sums.setdefault(name, []).append(value)
            row |= {f"stats/{name}/{what}": number_ for what, number_ in layout.statistics(value).items()}
        self._rows.append({**row, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})

    def _keep_rest(self, bag: Bag, episode: EpisodeData, poses: NDArray[np.float64], number: int) -> None:
        """What has no place in a LeRobotDataset."""
        last = {f"{layout.IMAGES}{name}": _png(episode.images[-1, c]) for c, name in enumerate(self._cameras)}
        self._extra.append(
            {
                "episode_index": number,
                layout.STATE: episode.states[-1].tolist(),
                layout.POSE: poses[-1].ravel().tolist(),
                **last,
                "summary": json.dumps(episode.metadata["summary"]),
                "metadata": json.dumps(bag.metadata),
            }
        )

    def _write_meta(self) -> None:
        self._parquet(layout.EPISODES.format(chunk_index=0, file_index=0), pa.Table.from_pylist(self._rows))
        self._parquet(layout.EXTRA, pa.Table.from_pylist(self._extra))
        self._parquet(layout.TASKS, _tasks_table(_sentence(self._task)))
        stats = {name: layout.statistics(np.concatenate(parts)) for name, parts in self._sums.items()}
        self._json(layout.STATS, stats)
        self._json(
            layout.INFO, layout.info(self._task, self._fps, self._features, self._lengths, self._video)
        )

    def _parquet(self, name: str, table: pa.Table) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)

    def _json(self, name: str, content: dict[str, Any]) -> None:
        (self._root / name).write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


class _DataFiles:
    """data/chunk-*/file-*.parquet, a new file when one is large."""

    def __init__(self, root: Path) -> None:
        self._root, self._index = root, -1
        self._writer: pq.ParquetWriter | None = None
        self._path = root

    def write(self, table: pa.Table) -> dict[str, int]:
        """Appends an episode; returns the columns of meta/episodes that say where."""
        if self._writer is None or self._path.stat().st_size > layout.DATA_FILE_MB * _MB:
            self.close()
            self._index += 1
            self._path = self._root / layout.DATA.format(**self._place())
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
        return {f"data/{name}": value for name, value in self._place().items()}

    def close(self) -> None:
        """Completes the open file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _place(self) -> dict[str, int]:
        chunk, file = divmod(self._index, layout.CHUNKS_SIZE)
        return {"chunk_index": chunk, "file_index": file}


class _VideoFile:
    """All episodes of one camera in one mp4."""

    def __init__(self, root: Path, camera: str, task: Task, fps: int) -> None:
        key = f"{layout.IMAGES}{camera}"
        self._path = root / layout.VIDEO.format(video_key=key, chunk_index=0, file_index=0)
        self._path.parent.mkdir(parents=True)
        size = task.observation.image_size
        self._ffmpeg: Iterator[None] = imageio_ffmpeg.write_frames(
            str(self._path), (size, size), pix_fmt_in="rgb24", pix_fmt_out=_PIXELS, fps=fps, codec=_CODEC,
            quality=None, macro_block_size=2, ffmpeg_log_level="error",
            output_params=["-crf", _QUALITY, "-g", _KEY_FRAMES, "-bf", "0"],
        )  # fmt: skip
        self._ffmpeg.send(None)  # type: ignore[attr-defined]

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Appends (T, height, width, 3) RGB."""
        for frame in frames:
            self._ffmpeg.send(np.ascontiguousarray(frame))  # type: ignore[attr-defined]

    def close(self) -> None:
        """Completes the file."""
        self._ffmpeg.close()  # type: ignore[attr-defined]


def _video_info(task: Task, fps: int) -> dict[str, Any]:
    size = task.observation.image_size
    return {
        "video.height": size, "video.width": size, "video.codec": "h264", "video.pix_fmt": _PIXELS,
        "video.is_depth_map": False, "video.fps": fps, "video.channels": 3, "has_audio": False,
    }  # fmt: skip


def _poses(bag: Bag, steps: int) -> NDArray[np.float64]:
    """[T+1, arms, 7] base_T_tcp as recorded."""
    observations = {m.message.step: m.message for m in bag.messages if m.kind == OBSERVATION}
    return np.array([[_pose(arm.pose) for arm in observations[k].arms] for k in range(steps + 1)])


def _pose(pose: Any) -> list[float]:
    p, q = pose.position, pose.orientation
    return [p.x, p.y, p.z, q.x, q.y, q.z, q.w]


def _png(picture: NDArray[np.uint8]) -> dict[str, Any]:
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise BagError(f"export: a picture {picture.shape} cannot be encoded as PNG")
    return {"bytes": data.tobytes(), "path": None}


def _png_column(pictures: NDArray[np.uint8]) -> list[dict[str, Any]]:
    return [_png(picture) for picture in pictures]


def _table(columns: dict[str, Any], features: dict[str, layout.Feature]) -> pa.Table:
    """Columns in the order and with the types of the features (datasets.Features of lerobot)."""
    arrays = {}
    for name, feature in features.items():
        if name not in columns:
            continue  # a video
        arrays[name] = _column(columns[name], feature)
    return pa.table(arrays)


def _column(values: Any, feature: layout.Feature) -> pa.Array:
    if feature["dtype"] == "image":
        return pa.array(values, _PICTURE)
    kind = {"float32": pa.float32(), "float64": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}[
        feature["dtype"]
    ]
    if feature["shape"] == [1]:
        return pa.array(np.asarray(values).ravel(), kind)
    flat = pa.array(np.asarray(values).ravel(), kind)
    return pa.FixedSizeListArray.from_arrays(flat, feature["shape"][0])


def _tasks_table(sentence: str) -> pa.Table:
    """task_index, indexed by the sentence as pandas writes it: lerobot reads it with pandas."""
    table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([sentence])})
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, kind, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    about = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.2.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(about)})


def _sentence(task: Task) -> str:
    """The task in natural language."""
    return task.description or task.name
