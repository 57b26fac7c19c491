# SPDX-License-Identifier: Apache-2.0
"""Reads a LeRobotDataset v3.0 from a folder: columns and pictures of every episode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hilserl_recorder import lerobot_format as layout
from hilserl_ros.bags import BagError

_CONVERT = "python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=..."


@dataclass(frozen=True)
class LeRobotEpisode:
    """One episode of T frames.

    Attributes:
        index: episode_index.
        columns: everything that is no picture, (T,) or (T, n).
        pictures: by feature name, [T, height, width, 3] uint8 RGB.
        extra: what our own export kept besides; None for other datasets.
    """

    index: int
    columns: dict[str, NDArray[Any]]
    pictures: dict[str, NDArray[np.uint8]]
    extra: dict[str, Any] | None


class LeRobotDataset:
    """A dataset on disk.

    Attributes:
        info: meta/info.json.
        rows: of meta/episodes, by episode_index.

    Raises:
        BagError: no dataset, another version, or damaged.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.info = self._read_info()
        self.rows = sorted(self._table("meta/episodes").to_pylist(), key=lambda row: row["episode_index"])
        self._data = self._table("data")
        self._extra = self._read_extra()

    @property
    def picture_features(self) -> list[str]:
        """Names of the features that are pictures."""
        kinds = ("image", "video")
        return [name for name, feature in self.info["features"].items() if feature["dtype"] in kinds]

    def episodes(self, wanted: list[str]) -> Iterator[LeRobotEpisode]:
        """All episodes with the pictures of these features.

        Raises:
            BagError: a frame or file is missing or damaged.
        """
        for row in self.rows:
            try:
                yield self._episode(row, wanted)
            except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
                raise BagError(
                    f"dataset {self.root}: episode {row['episode_index']} is damaged: "
                    f"{type(error).__name__}: {error}"
                ) from error

    def _episode(self, row: dict[str, Any], wanted: list[str]) -> LeRobotEpisode:
        index = int(row["episode_index"])
        mask = compute.equal(self._data["episode_index"], index)
        table = self._data.filter(mask).sort_by("frame_index")
        if table.num_rows != row["length"]:
            raise ValueError(f"{table.num_rows} frames, must be {row['length']}")
        columns = {
            name: np.array(table[name].to_pylist())
            for name in table.column_names
            if name not in self.picture_features
        }
        pictures = {name: self._pictures(name, table, row) for name in wanted}
        return LeRobotEpisode(index, columns, pictures, self._extra.get(index))

    def _pictures(self, name: str, table: pa.Table, row: dict[str, Any]) -> NDArray[np.uint8]:
        if self.info["features"][name]["dtype"] == "video":
            return self._video(name, row)
        return np.stack([decode(cell, self.root) for cell in table[name].to_pylist()])

    def _video(self, name: str, row: dict[str, Any]) -> NDArray[np.uint8]:
        key = f"videos/{name}"
        place = {"chunk_index": row[f"{key}/chunk_index"], "file_index": row[f"{key}/file_index"]}
        path = self.root / self.info["video_path"].format(video_key=name, **place)
        first = round(row[f"{key}/from_timestamp"] * self.info["fps"])
        return _read_video(path, first, int(row["length"]))

    def _read_info(self) -> dict[str, Any]:
        path = self.root / layout.INFO
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            version, _ = str(info["codebase_version"]), (info["features"], info["fps"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BagError(f"dataset {self.root}: no LeRobotDataset: {layout.INFO}: {error}") from error
        if not version.startswith("v3."):
            raise BagError(
                f"dataset {self.root}: version {version}, must be v3; convert it with lerobot: {_CONVERT}"
            )
        return dict(info)

    def _table(self, folder: str) -> pa.Table:
        files = sorted((self.root / folder).glob("*/*.parquet"))
        if not files:
            raise BagError(f"dataset {self.root}: no parquet files in {folder}/")
        try:
            return pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")
        except (OSError, pa.ArrowException) as error:
            raise BagError(f"dataset {self.root}: {folder}/ is damaged: {error}") from error

    def _read_extra(self) -> dict[int, dict[str, Any]]:
        path = self.root / layout.EXTRA
        if not path.is_file():
            return {}
        try:
            return {int(row["episode_index"]): row for row in pq.read_table(path).to_pylist()}
        except (OSError, pa.ArrowException) as error:
            raise BagError(f"dataset {self.root}: {layout.EXTRA} is damaged: {error}") from error


def decode(cell: dict[str, Any], root: Path) -> NDArray[np.uint8]:
    """RGB picture of an image cell: its bytes, or the file it names.

    Raises:
        ValueError: neither is a picture.
    """
    data = cell["bytes"] if cell["bytes"] is not None else (root / str(cell["path"])).read_bytes()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a cell holds no picture that can be decoded")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _read_video(path: Path, first: int, count: int) -> NDArray[np.uint8]:
    """Frames first..first+count-1 of a video, RGB."""
    if not path.is_file():
        raise OSError(f"{path} does not exist")
    frames = imageio_ffmpeg.read_frames(str(path), pix_fmt="rgb24")
    try:
        width, height = next(frames)["size"]
        found = [
            np.frombuffer(data, np.uint8).reshape(height, width, 3)
            for number, data in zip(range(first + count), frames, strict=False)
            if number >= first
        ]
    finally:
        frames.close()
    if len(found) != count:
        raise ValueError(f"{path} has {len(found)} frames from frame {first}, must have {count}")
    return np.stack(found)
