# SPDX-License-Identifier: Apache-2.0
"""Reference numbers of the original JAX code; parameters and batches are regenerated from numpy seeds."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parent / "golden"
MANIFEST = json.loads((ROOT / "manifest.json").read_text())


def _rng(name: str) -> np.random.RandomState:
    return np.random.RandomState((zlib.crc32(name.encode()) ^ MANIFEST["seed"]) & 0xFFFFFFFF)


@cache
def params(case: str, target: bool = False) -> dict[str, np.ndarray]:
    out = {}
    for path, shape, loc, scale in MANIFEST["cases"][case]["params"]:
        name = "target:" + path if target and "pretrained_encoder" not in path else path
        out[path] = (loc + scale * _rng(name).standard_normal(tuple(shape))).astype(np.float32)
    return out


def _make(name: str, kind: str, shape: list[int], arg) -> np.ndarray:
    r = _rng(name)
    if kind == "image":
        (n, h, w, c), (k, a) = shape, arg
        blocks = r.randint(0, 256, (n, h // k, w // k, c)).repeat(k, 1).repeat(k, 2)
        return np.clip(blocks + r.randint(-a, a + 1, tuple(shape)), 0, 255).astype(np.uint8)
    if kind == "normal":
        return (arg * r.standard_normal(tuple(shape))).astype(np.float32)
    if kind == "uniform":
        return r.uniform(-arg, arg, tuple(shape)).astype(np.float32)
    assert kind == "flag"
    return np.where(r.uniform(size=tuple(shape)) < arg[0], arg[1], 0.0).astype(np.float32)


@cache
def batch(case: str) -> dict[str, np.ndarray]:
    return {n: _make(f"{case}/{n}", k, s, a) for n, k, s, a in MANIFEST["cases"][case]["batch"]}


@cache
def outputs(case: str) -> dict[str, np.ndarray]:
    with np.load(ROOT / f"{case}.npz") as z:
        return {k: z[k] for k in z.files}


def fingerprint(value: np.ndarray) -> np.ndarray:
    return np.array([value.sum(dtype=np.float64), np.abs(value.astype(np.float64)).sum(), value.flat[-1]])


def spatial_kernel(value: np.ndarray) -> np.ndarray:
    """(h, w, c, f) of the original -> (c, h * w, f) here."""
    h, w, c, f = value.shape
    return value.transpose(2, 0, 1, 3).reshape(c, h * w, f)


def spatial_kernel_back(value: np.ndarray, size: int) -> np.ndarray:
    c, _, f = value.shape
    return value.reshape(c, size, size, f).transpose(1, 2, 0, 3)


def _copy(target: torch.Tensor, value: np.ndarray) -> None:
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.array(value)).reshape(target.shape))


def image_head_leaves(pool, bottleneck, prefix: str, keys: list[str]):
    """(path, member view, to ours, to theirs) of every camera head."""
    for i, key in enumerate(keys):
        base = f"{prefix}/encoder_{key}"
        yield f"{base}/SpatialLearnedEmbeddings_0/kernel", pool.kernel, i, "pool"
        yield f"{base}/Dense_0/kernel", bottleneck.weight, i, "plain"
        yield f"{base}/Dense_0/bias", bottleneck.bias, i, "plain"
        yield f"{base}/LayerNorm_0/scale", bottleneck.norm_weight, i, "plain"
        yield f"{base}/LayerNorm_0/bias", bottleneck.norm_bias, i, "plain"


def normed_leaves(layer, dense: str, norm: str):
    yield f"{dense}/kernel", layer.weight, None, "plain"
    yield f"{dense}/bias", layer.bias, None, "plain"
    yield f"{norm}/scale", layer.norm_weight, None, "plain"
    yield f"{norm}/bias", layer.norm_bias, None, "plain"


def agent_leaves(encoder, policy, critic, grasp_critic, keys: list[str]):
    """Where every parameter of the original's tree lives here."""
    yield from image_head_leaves(encoder.pool, encoder.bottleneck, "modules_actor/encoder", keys)
    base = "modules_actor/encoder"
    yield from normed_leaves(encoder.proprio, f"{base}/Dense_0", f"{base}/LayerNorm_0")
    if policy is not None:
        for i, layer in enumerate(policy.layers):
            yield from normed_leaves(
                layer, f"modules_actor/network/Dense_{i}", f"modules_actor/network/LayerNorm_{i}"
            )
        for i, head in enumerate((policy.mean, policy.log_std)):
            yield f"modules_actor/Dense_{i}/kernel", head.weight, None, "plain"
            yield f"modules_actor/Dense_{i}/bias", head.bias, None, "plain"
    base = "modules_critic/network/VmapMLP_0"
    for i, layer in enumerate(critic.layers):
        yield from normed_leaves(layer, f"{base}/Dense_{i}", f"{base}/LayerNorm_{i}")
    yield "modules_critic/Dense_0/kernel", critic.weight, None, "plain"
    yield "modules_critic/Dense_0/bias", critic.bias, None, "plain"
    if grasp_critic is not None:
        base = "modules_grasp_critic"
        layer = grasp_critic.layers[0]
        yield from normed_leaves(layer, f"{base}/network/Dense_0", f"{base}/network/LayerNorm_0")
        for name, head in (("network/Dense_1", grasp_critic.last_hidden), ("Dense_0", grasp_critic.values)):
            yield f"{base}/{name}/kernel", head.weight, None, "plain"
            yield f"{base}/{name}/bias", head.bias, None, "plain"


def load(leaves, values: dict[str, np.ndarray]) -> None:
    for path, tensor, member, kind in leaves:
        value = spatial_kernel(values[path]) if kind == "pool" else values[path]
        _copy(tensor.data if member is None else tensor.data[member], value)


def read(leaves, of=lambda t: t) -> dict[str, np.ndarray]:
    """{path: array in the original's layout}; `of` maps a parameter to what is read, e.g. its gradient."""
    found = {}
    for path, tensor, member, kind in leaves:
        value = of(tensor).detach().numpy()
        value = value if member is None else value[member]
        found[path] = spatial_kernel_back(value, 4) if kind == "pool" else value
    return found


def head16(value: np.ndarray) -> np.ndarray:
    flat = np.zeros(16, np.float32)
    first = np.ravel(value)[:16]
    flat[: len(first)] = first
    return flat


def trunk_tree(case: str, prefix: str) -> dict[str, np.ndarray]:
    """The trunk's weights by their names in the published file; they are listed under one of the cameras."""
    marker = "/pretrained_encoder/"
    found = {k: v for k, v in params(case).items() if k.startswith(prefix) and marker in k}
    return {k.partition(marker)[2]: v for k, v in found.items()}
