# SPDX-License-Identifier: Apache-2.0
"""Reads pickles of plain values and numpy arrays, nothing else: a pickle may otherwise run any program."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from hilserl_ros.bags import BagError

# What pickles of arrays name, of numpy 1 (numpy.core) and 2 (numpy._core); each builds arrays or numbers.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


class _RestrictedUnpickler(pickle.Unpickler):
    """find_class is the only door from a pickle to code (Python's manual, "Restricting Globals")."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"names {module}.{name}; only numbers, texts, lists, dicts and numpy arrays are read"
            )
        return super().find_class(module, name)


def load(path: Path) -> Any:
    """Content of a pickle file.

    Raises:
        BagError: missing, damaged, or anything but plain values and numpy arrays of numbers.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BagError(f"pickle {path}: not readable: {error}") from error
    try:
        return _RestrictedUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # damage shows as errors of many kinds
        raise BagError(f"pickle {path}: refused: {error}") from error
