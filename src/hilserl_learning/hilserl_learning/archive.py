# SPDX-License-Identifier: Apache-2.0
"""A replay buffer as one .npz file, written and read in pieces: gigabytes are never copied whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError
from hilserl_learning.frames import FrameStore

PIECE = 256  # frames at a time
_PREFIX = "store_"  # members that hold frames


def write(path: Path, tables: dict[str, NDArray], frames: FrameStore, slots: NDArray[np.int64]) -> None:
    """Tables as they are, and the frames of `slots`; atomic: the old file or the new one, never half."""
    partial = Path(str(path) + ".part")
    partial.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as file:
        for name, table in tables.items():
            _write_rows(file, name, table.dtype, table.shape, [table])
        for name, array in _columns(frames).items():
            shape = (len(slots), *array.shape[1:])
            pieces = (array[piece] for piece in _pieces(slots))
            _write_rows(file, _PREFIX + name, array.dtype, shape, pieces)
        if frames.pictures is not None:
            _write_pictures(file, frames, slots)
    partial.replace(path)


def read_tables(path: Path) -> dict[str, NDArray]:
    """Everything but the frames, after the whole file has been checked; LearningError when it is damaged."""
    if not path.is_file():
        raise LearningError(f"replay: no file at {path.resolve()}")
    try:
        with zipfile.ZipFile(path) as file:
            bad = file.testzip()
            if bad is not None:
                raise ValueError(f"checksum of {bad} is wrong")
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files if not key.startswith(_PREFIX)}
    except Exception as error:  # zipfile, zlib and numpy meet damage with errors of many kinds
        raise LearningError(f"replay: {path} cannot be read ({error})") from error


def layout(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every frame column in the file."""
    with zipfile.ZipFile(path) as file:
        names = [name.removesuffix(".npy") for name in file.namelist() if name.startswith(_PREFIX)]
        shapes = {}
        for name in names:
            with file.open(f"{name}.npy") as member:
                shapes[name.removeprefix(_PREFIX)] = _header(member)[0]
        return shapes


def read_frames(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(uid, row for `FrameStore.restore_frame`) of every frame, one after the other."""
    with ExitStack() as stack:
        file = stack.enter_context(zipfile.ZipFile(path))
        members: dict[str, tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]] = {}
        for name in file.namelist():
            if name.startswith(_PREFIX):
                member = stack.enter_context(file.open(name))
                members[name.removeprefix(_PREFIX).removesuffix(".npy")] = (member, *_header(member))
        for _ in range(members["uid"][1][0]):
            row: dict[str, Any] = {
                name: _next_row(*member) for name, member in members.items() if name != "pictures"
            }
            if "pictures" in members:
                row["pictures"] = members["pictures"][0].read(int(row.pop("picture_bytes")))
            yield int(row.pop("uid")), row


def load_frames(path: Path, frames: FrameStore, form: str) -> dict[int, int]:
    """Puts the file's frames into a store; returns {uid: slot}, every slot with one more owner.

    A frame that the store already holds is not stored again. Pictures in the file are of that `form`.
    """
    held = {int(frames.uid[slot]): slot for slot in frames.live_slots().tolist()}
    return {
        uid: frames.retain(held[uid]) if uid in held else frames.restore_frame(uid, row, form)
        for uid, row in read_frames(path)
    }


def _columns(frames: FrameStore) -> dict[str, NDArray]:
    """Arrays [slots, ...] that make up a frame, pictures apart."""
    copies = frames.copies_wanted
    features = frames.features.values.reshape(frames.slots, copies, -1)
    columns = {"uid": frames.uid, "state": frames.state, "copies": frames.copies, "features": features}
    if frames.features.scales is not None:
        columns["scales"] = frames.features.scales.reshape(frames.slots, copies, -1)
    return columns


def _write_pictures(file: zipfile.ZipFile, frames: FrameStore, slots: NDArray[np.int64]) -> None:
    assert frames.pictures is not None
    dump = frames.pictures.dump
    sizes = np.array([len(dump(slot)) for slot in slots.tolist()], np.int64)
    _write_rows(file, _PREFIX + "picture_bytes", sizes.dtype, sizes.shape, [sizes])
    data = (np.frombuffer(dump(slot), np.uint8) for slot in slots.tolist())
    _write_rows(file, _PREFIX + "pictures", np.dtype(np.uint8), (int(sizes.sum()),), data)


def _write_rows(
    file: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    pieces: Iterable[NDArray],
) -> None:
    with file.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_2_0(member, header)  # type: ignore[no-untyped-call]
        for piece in pieces:
            member.write(np.ascontiguousarray(piece).tobytes())


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    npy.read_magic(member)  # type: ignore[no-untyped-call]
    shape, _, dtype = npy.read_array_header_2_0(member)  # type: ignore[no-untyped-call]
    return shape, dtype


def _next_row(member: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray:
    size = int(np.prod(shape[1:])) * dtype.itemsize
    return np.frombuffer(member.read(size), dtype).reshape(shape[1:])


def _pieces(slots: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(slots), PIECE):
        yield slots[start : start + PIECE]
