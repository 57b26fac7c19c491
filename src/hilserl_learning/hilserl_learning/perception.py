# SPDX-License-Identifier: Apache-2.0
"""Pictures to the vector that is cached once per frame: a frozen trunk and, for 'readout', a read-out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hilserl_learning import readout, tensors
from hilserl_learning.augmentation import crop, random_crop
from hilserl_learning.errors import LearningError, one_of, pictures
from hilserl_learning.pose_targets import NearGoal
from hilserl_learning.pretrained import load_trunk
from hilserl_learning.readout import ReadoutReport
from hilserl_learning.resnet10 import ResNet10

# Scale of the coarse part and of the tanh part that resolves the last millimetres (1 mm clearance).
POSITION_SCALE_M, POSITION_FINE_M = 0.02, 0.003
ROTATION_SCALE_RAD, ROTATION_FINE_RAD = 0.1, 0.03
POSE_OUTPUTS = 12
ONE_HEAD = ("goal",)
# Observations per trunk pass. On a CPU larger ones leave the cache and take up to three times as long;
# elsewhere few large passes keep the device busy.
CPU_CHUNK, DEVICE_CHUNK = 4, 256


class Perception:
    """Frozen trunk for all cameras; `encode` is one trunk pass and, for 'readout', one matmul.

    `kind` 'maps' gives the flat feature maps [camera, channel, h, w] that the 'resnet10' encoder reads.
    `kind` 'readout' gives [pos / 0.02, tanh(pos / 0.003), rot / 0.1, tanh(rot / 0.03)] a head, then
    components: poses of the tcps relative to the taught goals as read from the pictures (which goals: the
    heads, in their order), and principal components.
    """

    def __init__(
        self,
        n_cameras: int,
        kind: Literal["maps", "readout"] = "readout",
        width: float = 0.5,
        seed: int = 0,
        stages: int = 4,
        map_size: int | None = None,
        weights: str | Path | None = None,
        components: int = 48,
        image_size: int = 128,
        device: str | torch.device = "cpu",
        heads: Sequence[str] = ONE_HEAD,
    ):
        """The same arguments give the same weights on every machine (features: up to rounding).

        Args:
            width: channel multiplier of the trunk, 1.0 = original.
            stages: of the trunk that are used, 4 = all. Early maps keep what random filters lose on the way.
            map_size: pixels a side after average pooling; None = as the trunk gives them.
            seed: of the random trunk; ignored when `weights` names a file of published ones.
            components: principal components of the read-out.
            heads: names of the poses that the read-out tells, e.g. ("arm/open", "arm/closed"); none: it has
                principal components only.
        """
        one_of("perception kind", kind, ("maps", "readout"))
        self.heads = _head_names(heads)
        self._options: dict[str, Any] = {
            "n_cameras": n_cameras,
            "kind": kind,
            "width": width,
            "stages": stages,
            "map_size": map_size,
            "seed": seed,
            "components": components,
            "image_size": image_size,
            "heads": list(self.heads),
        }
        self.n_cameras, self.kind, self.components, self.image_size = n_cameras, kind, components, image_size
        self.device = torch.device(device)
        self.chunk = CPU_CHUNK if self.device.type == "cpu" else DEVICE_CHUNK
        self.trunk: ResNet10 = load_trunk(weights, width, seed).to(self.device)
        self.trunk.keep_stages(stages)
        self._pooling = pooling(-(-image_size // 2 ** (stages + 1)), map_size)
        self.map_size = -(-image_size // 2 ** (stages + 1)) // self._pooling
        self.map_dim = n_cameras * self.trunk.channels * self.map_size**2
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        self.report: dict[str, Any] = {}

    @property
    def feature_dim(self) -> int:
        """Length of what `encode` returns per observation."""
        return self.map_dim if self.kind == "maps" else POSE_OUTPUTS * len(self.heads) + self.components

    @property
    def perception_id(self) -> str:
        """Short hash of all weights and options: equal ids mean equal features."""
        options = dict(self._options)
        if len(self.heads) == 1:  # its name changes no feature, and older files have none
            del options["heads"]
        digest = hashlib.sha256(repr(sorted(options.items())).encode())
        for name, tensor in sorted(self._tensors().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def encode(self, images: Any) -> NDArray[np.float32]:
        """uint8 RGB [n_cam, H, W, 3] or [B, n_cam, H, W, 3] -> float32 [B, feature_dim].

        Raises:
            LearningError: wrong shape or type, or a read-out that was not fitted.
        """
        checked = self._checked(images)
        parts = [self.features(torch.from_numpy(c).to(self.device)).cpu() for c in self._chunks(checked)]
        return torch.cat(parts).numpy()

    def features(self, images: Tensor) -> Tensor:
        """`encode` for a uint8 tensor on the perception's device."""
        maps = self.maps(images)
        if self.kind == "maps":
            return maps
        if self.weight is None or self.bias is None:
            raise LearningError(
                "perception: the read-out is not fitted; call fit_readout or load a fitted file"
            )
        with torch.inference_mode():
            return expand_poses(torch.addmm(self.bias, maps, self.weight), len(self.heads)).clone()

    def maps(self, images: Tensor) -> Tensor:
        """uint8 [B, n_cam, H, W, 3] -> trunk maps, flat [B, n_cam * channels * h * w]."""
        with torch.inference_mode():
            maps = self.trunk(images.flatten(0, 1))
            if self._pooling > 1:
                maps = F.avg_pool2d(maps, self._pooling)
            return maps.reshape(len(images), -1)

    def augmented_features(self, images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
        """Random crop and encode: what the original does in every update."""
        with torch.no_grad():
            cropped = random_crop(images, padding, generator)
            return torch.cat([self.features(part) for part in cropped.split(self.chunk)]).clone()

    def encode_crops(self, images: Any, offsets: Any, padding: int = 4) -> NDArray[np.float32]:
        """Features of the pictures cropped at given offsets, in batches, [B, feature_dim].

        Args:
            images: uint8 [B, n_cam, H, W, 3]; offsets: [B, 2] as `augmentation.crop` takes them.
        """
        checked = self._checked(images)
        parts = []
        for start in range(0, len(checked), self.chunk):
            part = torch.from_numpy(checked[start : start + self.chunk]).to(self.device)
            moved = torch.as_tensor(offsets[start : start + self.chunk], device=self.device)
            parts.append(self.features(crop(part, moved, padding)).cpu())
        return torch.cat(parts).numpy()

    def encode_copies(
        self, images: Any, copies: int, padding: int = 4, generator: torch.Generator | None = None
    ) -> NDArray[np.float32]:
        """Features of the frame itself and of copies - 1 random crops, [B, copies, feature_dim]."""
        checked = self._checked(images)
        stacks = [self.encode(checked)]
        for _ in range(copies - 1):
            stacks.append(self.encode(random_crop(torch.from_numpy(checked), padding, generator).numpy()))
        return np.stack(stacks, 1)

    def fit_readout(
        self, images: Any, targets: Any, groups: Any, regions: Sequence[NearGoal] | None = None
    ) -> ReadoutReport:
        """Fits the read-out on poses the robot labelled itself.

        Args:
            images: uint8 [N, n_cam, H, W, 3].
            targets: [N, heads, 6] goal_T_tcp (m, rad), see `pose_targets.pose_labels`; NaN where a frame
                says nothing about a head. With one head also [N, 6].
            groups: [N] episode of each frame.
            regions: one a head, where it has to be right; None: the default region for all.

        Returns:
            Cross-validated errors, folds made of whole episodes.
        """
        if self.kind != "readout":
            raise LearningError("perception: kind 'maps' has no read-out; use Perception(kind='readout')")
        checked = self._checked(images)
        targets, groups = np.array(targets, np.float64), np.asarray(groups)
        if targets.ndim == 2:
            targets = targets[:, None]
        regions = [NearGoal()] * len(self.heads) if regions is None else list(regions)
        if len(regions) != len(self.heads):
            raise LearningError(
                f"read-out: {len(regions)} regions for the heads {list(self.heads)}; one each"
            )
        if targets.shape == (len(checked), len(self.heads), 6) and len(groups) == len(checked):
            used = keep_near(targets, regions)
            checked, targets, groups = checked[used], targets[used], groups[used]
        parts = [self.maps(torch.from_numpy(c).to(self.device)).cpu().numpy() for c in self._chunks(checked)]
        affine, report = readout.fit(np.concatenate(parts), targets, groups, self.components, self.heads)
        self.weight = torch.from_numpy(affine.weight).to(self.device)
        self.bias = torch.from_numpy(affine.bias).to(self.device)
        self.report = asdict(report)
        return report

    def pose(self, images: Any) -> NDArray[np.float32]:
        """The poses goal_T_tcp that the heads see, [B, heads, 6] in m and rad; for figures and reports."""
        features = self.encode(images)[:, : POSE_OUTPUTS * len(self.heads)]
        poses = features.reshape(len(features), len(self.heads), POSE_OUTPUTS)
        scales = np.array([POSITION_SCALE_M] * 3 + [ROTATION_SCALE_RAD] * 3, np.float32)
        return poses[..., [0, 1, 2, 6, 7, 8]] * scales

    def _checked(self, images: Any) -> NDArray[np.uint8]:
        checked = pictures("perception images", images)
        expected = (self.n_cameras, self.image_size, self.image_size, 3)
        if checked.shape[1:] != expected:
            raise LearningError(
                f"perception images: {checked.shape[1:]}, must be {expected} (cameras in task order, RGB)"
            )
        return np.ascontiguousarray(checked)

    def _chunks(self, images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        return [images[start : start + self.chunk] for start in range(0, len(images), self.chunk)]

    def _tensors(self) -> dict[str, Tensor]:
        named = {f"trunk.{key}": value for key, value in self.trunk.state_dict().items()}
        if self.weight is not None and self.bias is not None:
            named |= {"readout.weight": self.weight, "readout.bias": self.bias}
        return named

    def to_bytes(self) -> bytes:
        """Trunk, read-out and report as one safetensors blob."""
        return tensors.pack(self._tensors(), "perception", {"options": self._options, "report": self.report})

    def save(self, path: str | Path) -> None:
        """Writes `to_bytes` to a file, atomically."""
        tensors.write_file(path, self.to_bytes())

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Perception:
        """Reads `save`'s file; LearningError when it is missing or damaged."""
        return Perception.from_bytes(tensors.read_file(path, "perception"), device)

    @staticmethod
    def from_bytes(blob: bytes, device: str | torch.device = "cpu") -> Perception:
        """Reads `to_bytes`."""
        named, metadata = tensors.unpack(blob, "perception")
        perception = Perception(**metadata["options"], device=device)
        trunk = {
            key.removeprefix("trunk."): value for key, value in named.items() if key.startswith("trunk.")
        }
        tensors.load_strict(perception.trunk, trunk, "perception trunk")
        if "readout.weight" in named:
            perception.weight = named["readout.weight"].to(perception.device)
            perception.bias = named["readout.bias"].to(perception.device)
        perception.report = metadata["report"]
        return perception


def pooling(size: int, map_size: int | None) -> int:
    """Factor of average pooling from `size` pixels a side to `map_size`; LearningError when not whole."""
    if map_size is None:
        return 1
    if map_size < 1 or size % map_size:
        raise LearningError(
            f"map_size: {map_size}, must divide the trunk's {size} pixels a side, e.g. {size}"
        )
    return size // map_size


def keep_near(targets: NDArray[np.float64], regions: Sequence[NearGoal]) -> NDArray[np.bool_]:
    """Takes the labels [N, heads, 6] of frames far from a head's goal away, in place.

    Returns:
        Mask [N] of the frames to use: those with a label left, and those that had none, which say what else
        is seen. A frame that was only far from goals would shift the components.
    """
    unlabelled = np.isnan(targets).all((1, 2))
    for number, region in enumerate(regions):
        labelled = np.flatnonzero(~np.isnan(targets[:, number]).all(1))
        targets[labelled[~region.holds(targets[labelled, number])], number] = np.nan
    return np.asarray(unlabelled | ~np.isnan(targets).all((1, 2)))


def expand_poses(linear: Tensor, heads: int) -> Tensor:
    """[B, 6 per head + k] poses (m, rad) and components -> [B, 12 per head + k] scaled and tanh-resolved."""
    parts = []
    for pose in linear[:, : 6 * heads].split(6, 1):
        position, rotation = pose[:, :3], pose[:, 3:]
        parts += [
            position / POSITION_SCALE_M,
            (position / POSITION_FINE_M).tanh(),
            rotation / ROTATION_SCALE_RAD,
            (rotation / ROTATION_FINE_RAD).tanh(),
        ]
    return torch.cat([*parts, linear[:, 6 * heads :]], -1)


def _head_names(heads: Sequence[str]) -> tuple[str, ...]:
    names = tuple(heads)
    if len(set(names)) < len(names):
        raise LearningError(
            f"perception heads: {list(names)} must be different names; example: ['arm/open', 'arm/closed']"
        )
    return names
