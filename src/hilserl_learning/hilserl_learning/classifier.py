# SPDX-License-Identifier: Apache-2.0
"""Reward classifier on frozen trunk features (original: serl_launcher/networks/reward_classifier.py).

Binary (success or not), or of named classes as the original's NWayClassifier of the egg flip, which has no
training script there.

Trunk features of every labelled frame (and of a few random crops of it) are computed once; training touches
the head only. Frames of one episode are never split between training and validation.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hilserl_learning import tensors
from hilserl_learning.errors import LearningError, pictures
from hilserl_learning.networks import DenseHead, NormedDense, SpatialEmbeddings
from hilserl_learning.perception import Perception
from hilserl_learning.profiles import LearnerConfig


@dataclass(frozen=True)
class ClassifierConfig:
    """Numbers of the classifier. Defaults: fast profile; `original_classifier` gives the original's.

    Attributes:
        cameras: names, in the order of the pictures.
        standardize: scale every feature to zero mean and unit variance over the training frames. Needed for
            random trunks, whose features differ little from frame to frame; off in the original.
        steps: gradient steps on batches of half positive, half negative frames (original: 150).
        copies: the frame and copies - 1 random crops, cached.
        validation_share: share of the episodes that is held out.
        classes: names of the classes; empty: success or not.
    """

    cameras: tuple[str, ...]
    trunk_width: float = 0.25
    trunk_stages: int = 1
    map_size: int | None = 16
    trunk_seed: int = 0
    spatial_embeddings: int = 8
    bottleneck: int = 256
    hidden: int = 256
    dropout: float = 0.1
    standardize: bool = True
    learning_rate: float = 1e-4
    steps: int = 300
    batch_size: int = 256
    copies: int = 3
    crop_padding: int = 4
    validation_share: float = 0.2
    threshold: float = 0.85
    image_size: int = 128
    seed: int = 0
    classes: tuple[str, ...] = ()


def original_classifier(cameras: tuple[str, ...], **changes: Any) -> ClassifierConfig:
    """The original's numbers: full trunk, raw features, 150 steps. Crops are cached instead of drawn anew."""
    numbers: dict[str, Any] = {
        "trunk_width": 1.0,
        "trunk_stages": 4,
        "map_size": None,
        "standardize": False,
        "steps": 150,
        **changes,
    }
    return ClassifierConfig(cameras, **numbers)


@dataclass(frozen=True)
class ClassifierReport:
    """Held-out quality; of a binary classifier at the threshold, of classes by the likeliest one.

    Attributes:
        accuracy: share of held-out frames judged right; accuracy_at_half: the same at threshold 0.5.
        confusion_matrix: held-out frames, [truth][judged]; binary: no success, success.
        train_accuracy: on the training frames.
        counts: labelled frames of each class, in the order of the matrix.
    """

    accuracy: float
    accuracy_at_half: float
    train_accuracy: float
    confusion_matrix: list[list[int]]
    threshold: float
    frames: int
    counts: list[int]
    episodes: int
    validation_episodes: int
    encode_s: float
    train_s: float
    losses: list[float] = field(default_factory=list)


class ClassifierHead(nn.Module):
    """Spatial embeddings and bottleneck per camera, then Dense -> Dropout -> LayerNorm -> ReLU -> Dense."""

    def __init__(self, cfg: ClassifierConfig, channels: int, pixels: int):
        super().__init__()
        count, eps = len(cfg.cameras), LearnerConfig.layer_norm_eps
        self.dropout = cfg.dropout
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(count * channels * pixels))
        self.register_buffer("scale", torch.ones(count * channels * pixels))
        self.pool = SpatialEmbeddings(count, channels, pixels, cfg.spatial_embeddings)
        pooled = channels * cfg.spatial_embeddings
        self.bottleneck = NormedDense(count, pooled, cfg.bottleneck, "tanh", eps, lecun=True)
        self.dense = DenseHead(count * cfg.bottleneck, cfg.hidden)
        self.norm = nn.LayerNorm(cfg.hidden, eps=eps)
        self.logit = DenseHead(cfg.hidden, len(cfg.classes) or 1)

    def encode(self, maps: Tensor) -> Tensor:
        """Trunk maps, flat [B, camera * channel * pixel] -> [B, camera * bottleneck]."""
        pooled = F.dropout(self.pool((maps - self.mean) * self.scale), self.dropout, self.training)
        return self.bottleneck(pooled).transpose(0, 1).reshape(len(maps), -1)

    def forward(self, maps: Tensor) -> Tensor:
        """Logit [B] of success, or logits [B, C] of the classes."""
        hidden = F.dropout(self.dense(self.encode(maps)), self.dropout, self.training)
        logits = self.logit(F.relu(self.norm(hidden)))
        return logits if logits.shape[1] > 1 else logits[:, 0]


class RewardClassifier:
    """Pictures of all classifier cameras to the probability of success, or of every class."""

    def __init__(self, cfg: ClassifierConfig, perception: Perception | None = None):
        """Args: perception: a trunk of kind 'maps'; default: a seeded random one of cfg.trunk_width."""
        if not cfg.cameras:
            raise LearningError(
                "classifier: cameras is empty; name at least one, e.g. ('wrist_1', 'wrist_2')"
            )
        self.cfg = cfg
        self.trunk = perception or Perception(
            len(cfg.cameras),
            "maps",
            cfg.trunk_width,
            cfg.trunk_seed,
            cfg.trunk_stages,
            cfg.map_size,
            image_size=cfg.image_size,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(cfg.seed)
            self.head = ClassifierHead(cfg, self.trunk.trunk.channels, self.trunk.map_size**2)
        self.head.eval()
        self.report: dict[str, Any] = {}

    @property
    def threshold(self) -> float:
        """Probability from which a frame counts as success."""
        return self.cfg.threshold

    @torch.inference_mode()
    def predict(self, images: Any) -> NDArray[np.float32]:
        """uint8 RGB [n_cam, H, W, 3] or [B, n_cam, H, W, 3] -> probability of success, float32 [B], or of
        the classes, float32 [B, C].
        """
        return self._probability(torch.from_numpy(self.trunk.encode(images))).numpy()

    def fit(self, images: Any, labels: Any, groups: Any, held_out: Any = None) -> ClassifierReport:
        """Trains the head and judges it on held-out episodes.

        Args:
            images: uint8 [N, n_cam, H, W, 3].
            labels: [N] bool, or numbers of classes from 0.
            groups: [N] episode of each frame.
            held_out: [N] bool, frames to judge on; default: `split_episodes`.

        Raises:
            LearningError: sizes differ, either side of the split lacks a class, or an episode is on both.
        """
        checked, labels, groups = _checked(images, labels, groups, len(self.cfg.classes))
        started = time.perf_counter()
        generator = torch.Generator().manual_seed(self.cfg.seed)
        copies = self.trunk.encode_copies(checked, self.cfg.copies, self.cfg.crop_padding, generator)
        features = torch.from_numpy(copies)
        encoded = time.perf_counter()
        if held_out is None:
            held_out = split_episodes(labels, groups, self.cfg.validation_share, self.cfg.seed)
        _check_split(held_out, labels, groups)
        losses = self._train(features[~held_out], torch.from_numpy(labels[~held_out]), generator)
        trained = time.perf_counter()
        report = self._judge(features[:, 0], labels, groups, held_out)
        finished = ClassifierReport(
            **report, encode_s=encoded - started, train_s=trained - encoded, losses=losses
        )
        self.report = asdict(finished)
        return finished

    def _train(self, features: Tensor, labels: Tensor, generator: torch.Generator) -> list[float]:
        cfg, head = self.cfg, self.head
        if cfg.standardize:
            deviation = features[:, 0].std(0)
            head.mean.copy_(features[:, 0].mean(0))
            head.scale.copy_(1.0 / deviation.clamp(min=float(0.05 * deviation.mean()) + 1e-12))
        kinds = range(len(cfg.classes)) if cfg.classes else (1, 0)
        rows_of = [(labels == kind).nonzero()[:, 0] for kind in kinds]
        share = max(1, cfg.batch_size // len(rows_of))
        targets = torch.tensor(kinds).repeat_interleave(share)
        optimizer = torch.optim.Adam(head.parameters(), lr=cfg.learning_rate, fused=True)
        losses = []
        head.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(cfg.seed)
            for step in range(cfg.steps):
                rows = torch.cat([_draw(known, share, generator) for known in rows_of])
                picked = torch.randint(features.shape[1], rows.shape, generator=generator)
                loss = self._loss(head(features[rows, picked]), targets)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                if step % 25 == 0 or step == cfg.steps - 1:
                    losses.append(loss.item())
        head.eval()
        return losses

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.cfg.classes:
            return F.cross_entropy(logits, targets)
        return F.binary_cross_entropy_with_logits(logits, targets.float())

    def _probability(self, maps: Tensor) -> Tensor:
        logits = self.head(maps)
        return logits.softmax(1) if self.cfg.classes else torch.sigmoid(logits)

    @torch.inference_mode()
    def _judge(self, features: Tensor, labels: NDArray, groups: NDArray, held_out: NDArray) -> dict[str, Any]:
        probability = torch.cat([self._probability(part) for part in features.split(256)]).numpy()
        judged = probability.argmax(1) if self.cfg.classes else probability >= self.cfg.threshold
        at_half = judged if self.cfg.classes else probability >= 0.5
        count = len(self.cfg.classes) or 2
        matrix = np.zeros((count, count), int)
        np.add.at(matrix, (labels[held_out].astype(int), judged[held_out].astype(int)), 1)
        return {
            "accuracy": float((labels == judged)[held_out].mean()),
            "accuracy_at_half": float((labels == at_half)[held_out].mean()),
            "train_accuracy": float((labels == judged)[~held_out].mean()),
            "confusion_matrix": matrix.tolist(),
            "threshold": self.cfg.threshold,
            "frames": len(labels),
            "counts": np.bincount(labels.astype(int), minlength=count).tolist(),
            "episodes": len(np.unique(groups)),
            "validation_episodes": len(np.unique(groups[held_out])),
        }

    def save(self, path: str | Path) -> None:
        """Writes head, trunk, config and report to one safetensors file, atomically."""
        named = {f"head.{k}": v for k, v in self.head.state_dict().items()}
        named |= {f"trunk.{k}": v for k, v in self.trunk.trunk.state_dict().items()}
        metadata = {"config": asdict(self.cfg), "report": self.report, "trunk_id": self.trunk.perception_id}
        tensors.write_file(path, tensors.pack(named, "classifier", metadata))

    @staticmethod
    def load(path: str | Path, cameras: tuple[str, ...] | None = None) -> RewardClassifier:
        """Reads `save`'s file.

        Args:
            cameras: names the caller will send, in order; LearningError when the file was made for others.
        """
        named, metadata = tensors.unpack(tensors.read_file(path, "classifier"), "classifier")
        values = metadata["config"]
        names = {key: tuple(values.get(key, ())) for key in ("cameras", "classes")}
        cfg = ClassifierConfig(**{**values, **names})
        if cameras is not None and tuple(cameras) != cfg.cameras:
            raise LearningError(
                f"classifier: {path} was trained for cameras {cfg.cameras}, got {tuple(cameras)}"
            )
        classifier = RewardClassifier(cfg)
        for part, module in (("trunk.", classifier.trunk.trunk), ("head.", classifier.head)):
            chosen = {k.removeprefix(part): v for k, v in named.items() if k.startswith(part)}
            tensors.load_strict(module, chosen, f"classifier {part[:-1]}")
        classifier.report = metadata["report"]
        return classifier


def split_episodes(labels: NDArray, groups: NDArray, share: float, seed: int) -> NDArray[np.bool_]:
    """Mask [N] of held-out frames: whole episodes, about `share` of them, every class on both sides."""
    names, classes = np.unique(groups), np.unique(labels)
    count = max(1, round(share * len(names)))
    generator = np.random.default_rng(seed)
    for _ in range(1000):
        held_out = np.isin(groups, generator.permutation(names)[:count])
        both = all(len(np.unique(labels[side])) == len(classes) for side in (held_out, ~held_out))
        if both and len(classes) > 1:
            return held_out
    kinds = ", ".join(f"{int((labels == kind).sum())} of class {kind}" for kind in classes)
    if labels.dtype == bool:
        kinds = f"{int(labels.sum())} positive and {int((~labels).sum())} negative frames"
    raise LearningError(
        f"classifier: {len(names)} episodes with {kinds} cannot be split so that training and validation "
        "both see every class; label more episodes"
    )


def _draw(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return rows[torch.randint(len(rows), (count,), generator=generator)]


def _checked(
    images: Any, labels: Any, groups: Any, classes: int
) -> tuple[NDArray[np.uint8], NDArray, NDArray]:
    checked, labels, groups = pictures("classifier images", images), np.asarray(labels), np.asarray(groups)
    if labels.shape != (len(checked),) or groups.shape != (len(checked),):
        raise LearningError(
            f"classifier: {len(checked)} frames but labels {labels.shape} and groups {groups.shape}; "
            f"both must be ({len(checked)},)"
        )
    if not classes:
        return checked, labels.astype(np.bool_), groups
    missing = sorted(set(range(classes)) ^ set(np.unique(labels).tolist()))
    if missing:
        raise LearningError(
            f"classifier: class {missing[0]} has no frame or is none of the {classes} classes; every class "
            f"0 to {classes - 1} needs labels"
        )
    return checked, labels.astype(np.int64), groups


def _check_split(held_out: NDArray, labels: NDArray, groups: NDArray) -> None:
    if held_out.shape != labels.shape or set(np.unique(groups[held_out])) & set(np.unique(groups[~held_out])):
        raise LearningError("classifier: held_out must hold whole episodes, one value a frame")
    for side, name in ((held_out, "held-out"), (~held_out, "training")):
        if len(np.unique(labels[side])) != len(np.unique(labels)):
            raise LearningError(f"classifier: {name} frames lack a class; label more episodes")
