# SPDX-License-Identifier: Apache-2.0
"""The published ResNet-10 weights, from the original's pickle or from safetensors.

The pickle (`resnet10_params.pkl`, attached to a release of rail-berkeley/serl) is read without executing
it: only the callables that rebuild arrays and nested dictionaries are allowed.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from hilserl_learning.errors import LearningError
from hilserl_learning.resnet10 import ResNet10

WHERE = (
    "the file is 'resnet10_params.pkl' from the releases of github.com/rail-berkeley/serl: "
    "--set learner.trunk_weights=FILE, or --set learner.trunk_weights=random for seeded random weights"
)

LARGEST_BYTES = 256_000_000  # float64 copies of the published 4.9 million weights have 39 MB


def load_trunk(path: str | Path | None, width: float = 1.0, seed: int = 0) -> ResNet10:
    """A trunk with the weights of `path`, or with seeded random weights when `path` is None.

    Args:
        path: `*.pkl` of the original, or `*.safetensors` (names of `ResNet10.state_dict()` or of the original
            joined by '/').

    Raises:
        LearningError: file missing or damaged, forbidden pickle content, missing or wrongly shaped weight.
    """
    trunk = ResNet10(width, seed)
    if path is None:
        return trunk
    file = Path(path)
    if not file.is_file():
        raise LearningError(f"pretrained trunk: no file at {file.resolve()}; {WHERE}")
    size = file.stat().st_size
    if size > LARGEST_BYTES:
        raise LearningError(
            f"pretrained trunk: {file} has {size / 1e6:.0f} MB, the published file about 20; {WHERE}"
        )
    weights = _read_safetensors(file) if file.suffix == ".safetensors" else flax_to_torch(read_pickle(file))
    _load(trunk, weights, file)
    return trunk


def read_pickle(path: Path) -> dict[str, Any]:
    """The nested dictionary of arrays in the original's pickle; LearningError instead of running code."""
    try:
        content = _ArrayUnpickler(io.BytesIO(path.read_bytes())).load()
    except LearningError:
        raise
    except Exception as error:
        raise LearningError(f"pretrained trunk: {path} is not a readable pickle ({error})") from error
    if not isinstance(content, Mapping):
        raise LearningError(
            f"pretrained trunk: {path} holds a {type(content).__name__}, not a dict of arrays"
        )
    return dict(content)


def flax_to_torch(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """Nested (or '/'-joined) names and HWIO kernels of the original -> names and OIHW kernels of ResNet10."""
    weights: dict[str, Tensor] = {}
    for path, value in _leaves(tree):
        array = _numbers(path, value)
        *owner, kind = path.split("/")
        if kind == "kernel" and array.dim() == 4:  # a classifier head's Dense kernel has two axes
            array = array.permute(3, 2, 0, 1).contiguous()
        parts = [_RENAMED.get(part, part) for part in owner]
        name = ".".join(
            f"blocks.{p.removeprefix('ResNetBlock_')}" if p.startswith("ResNetBlock_") else p for p in parts
        )
        weights[f"{name}.{'bias' if kind == 'bias' else 'weight'}"] = array
    return weights


DEEPEST = 8  # levels of names; the published file has 3
_RENAMED = {"Conv_0": "conv_0", "Conv_1": "conv_1", "MyGroupNorm_0": "norm_0", "MyGroupNorm_1": "norm_1"}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    if prefix.count("/") > DEEPEST:
        raise LearningError(f"pretrained trunk: '{prefix[:40]}...' is nested without end; {WHERE}")
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = f"{prefix}/{key}" if prefix else str(key)
        found += _leaves(value, path) if isinstance(value, Mapping) else [(path, value)]
    return found


def _numbers(path: str, value: Any) -> Tensor:
    """A leaf as float32 tensor; LearningError when it is no array of numbers."""
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "fiu":
        kind = f"n array of {value.dtype}" if isinstance(value, np.ndarray) else f" {type(value).__name__}"
        raise LearningError(f"pretrained trunk: '{path}' holds a{kind}, not an array of numbers; {WHERE}")
    return torch.from_numpy(np.array(value, dtype=np.float32))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        weights = safetensors.torch.load(path.read_bytes())
    except Exception as error:
        raise LearningError(
            f"pretrained trunk: {path} is not a readable safetensors file ({error})"
        ) from error
    if any("/" in name for name in weights):
        return flax_to_torch({name: value.float().numpy() for name, value in weights.items()})
    return weights


def _load(trunk: ResNet10, weights: dict[str, Tensor], path: Path) -> None:
    expected = trunk.state_dict()
    for name, tensor in expected.items():
        if name not in weights:
            raise LearningError(
                f"pretrained trunk: {path} has no '{name}' of shape {tuple(tensor.shape)}; {WHERE}"
            )
        if weights[name].shape != tensor.shape:
            raise LearningError(
                f"pretrained trunk: {path}: '{name}' has shape {tuple(weights[name].shape)}, must be "
                f"{tuple(tensor.shape)} for trunk_width {trunk.width} (the published weights need 1.0)"
            )
        if not torch.isfinite(weights[name]).all():
            raise LearningError(f"pretrained trunk: {path}: '{name}' contains NaN or infinity")
    trunk.load_state_dict(
        {name: weights[name] for name in expected}
    )  # a classifier head in the file is left out


def _rebuild_jax_array(function: Callable, arguments: tuple, state: tuple, _aval: Any) -> np.ndarray:
    """What jax's own reducer does, without jax: the array it wraps is a plain numpy one."""
    array = function(*arguments)
    array.__setstate__(state)
    return array


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Pickle protocol 2 writes the bytes of an array as text; nothing but that is decoded."""
    if encoding != "latin1":
        raise LearningError(
            f"pretrained trunk: the pickle asks for codec {encoding}, which is refused; {WHERE}"
        )
    return text.encode("latin1")


def _frozen_dict(content: Mapping[str, Any]) -> dict[str, Any]:
    return dict(content)


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the few names an array pickle needs and refuses every other."""

    _ALLOWED: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("collections", "OrderedDict"): dict,
        ("_codecs", "encode"): _latin1_bytes,
        ("flax.core.frozen_dict", "FrozenDict"): _frozen_dict,
        ("jax._src.array", "_reconstruct_array"): _rebuild_jax_array,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The replacement of an allowed name; LearningError for any other."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        if module in ("numpy.core.numeric", "numpy._core.numeric") and name == "_frombuffer":
            return _from_buffer
        if (module, name) in self._ALLOWED:
            return self._ALLOWED[module, name]
        raise LearningError(
            f"pretrained trunk: the pickle asks for {module}.{name}, which is refused; {WHERE}"
        )


def _from_buffer(buffer: Any, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]
