# SPDX-License-Identifier: Apache-2.0
"""safetensors bytes with one JSON metadata object: policies, perceptions and classifiers travel as these."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from hilserl_learning.errors import LearningError


def pack(tensors: dict[str, Tensor], kind: str, metadata: dict[str, Any]) -> bytes:
    """Tensors and a JSON-able metadata object as one blob; `kind` says what it is."""
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    return safetensors.torch.save(plain, {"kind": kind, "metadata": json.dumps(metadata, sort_keys=True)})


def unpack(blob: bytes, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads `pack`'s blob; LearningError when it is damaged or of another kind."""
    try:
        size = int.from_bytes(blob[:8], "little")
        header = json.loads(blob[8 : 8 + size])["__metadata__"]
        found = header["kind"]
        if found == kind:
            return safetensors.torch.load(bytes(blob)), json.loads(header["metadata"])
    except Exception as error:
        raise LearningError(f"{kind}: {len(blob)} bytes are no readable safetensors file: {error}") from error
    raise LearningError(f"{kind}: this file holds a '{found}', not a '{kind}'")


def write_file(path: str | Path, blob: bytes) -> None:
    """Writes atomically: a crash leaves the old file or the new one, never half of it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    with partial.open("wb") as file:
        file.write(blob)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


def read_file(path: str | Path, what: str) -> bytes:
    """The bytes of a file; LearningError that names `what` when it is missing."""
    if not Path(path).is_file():
        raise LearningError(f"{what}: no file at {Path(path).resolve()}")
    return Path(path).read_bytes()


def load_strict(module: torch.nn.Module, tensors: dict[str, Tensor], what: str) -> None:
    """Loads all parameters; LearningError names missing, extra and wrongly shaped ones."""
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise LearningError(f"{what}: {' '.join(str(error).split())}") from error
