# SPDX-License-Identifier: Apache-2.0
"""Random crop: edge-pad, then cut the original size at an offset (original: data_augmentations.py)."""

from __future__ import annotations

import torch
from torch import Tensor

from hilserl_learning.noise import integers


def crop(images: Tensor, offsets: Tensor, padding: int = 4) -> Tensor:
    """Cuts every picture at its own offset from its edge-padded version.

    Args:
        images: [B, H, W, C], any type, or [B, n_cam, H, W, C]: all cameras of a sample share the offset,
            as in the original.
        offsets: integer [B, 2] (row, column) in 0..2 * padding; `padding` itself changes nothing.

    Returns:
        Same shape and type as `images`.
    """
    height, width = images.shape[-3:-1]
    rows = (torch.arange(height, device=images.device) + offsets[:, :1] - padding).clamp_(0, height - 1)
    columns = (torch.arange(width, device=images.device) + offsets[:, 1:] - padding).clamp_(0, width - 1)
    batch = torch.arange(len(images), device=images.device)
    if images.dim() == 4:
        return images[batch[:, None, None], rows[:, :, None], columns[:, None, :]]
    cameras = torch.arange(images.shape[1], device=images.device)
    index = (batch[:, None, None, None], cameras[None, :, None, None], rows[:, None, :, None])
    return images[(*index, columns[:, None, None, :])]


def random_crop(
    images: Tensor, padding: int = 4, generator: torch.Generator | None = None, per_camera: bool = False
) -> Tensor:
    """`crop` at uniform offsets 0..2 * padding inclusive.

    Args:
        images: [B, n_cam, H, W, C] or [B, H, W, C].
        per_camera: every camera of a sample gets its own offset instead of a shared one.
    """
    if per_camera and images.dim() == 5:
        flat = images.flatten(0, 1)
        return random_crop(flat, padding, generator).view_as(images)
    generator = torch.default_generator if generator is None else generator
    offsets = integers(2 * padding + 1, (len(images), 2), generator)
    return crop(images, offsets.to(images.device), padding)
