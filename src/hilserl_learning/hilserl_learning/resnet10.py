# SPDX-License-Identifier: Apache-2.0
"""ResNet-10 trunk with group normalization (original: serl_launcher/vision/resnet_v1.py, pre_pooling=True).

Semantics that a port easily gets wrong, all checked against the original's numbers in the tests: SAME
padding of an even input at stride 2 pads nothing before and one pixel after; only the first convolution
pads 3 on both sides; block 0 has no projection; group norm eps is 1e-5.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hilserl_learning.errors import LearningError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
STAGES = (64, 128, 256, 512)
GROUPS = 4
INPUT_SIZE = 128  # the original resizes everything else to this


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Pads [.., H, W] as XLA's SAME does: the odd pixel goes after, not before."""
    pads: list[int] = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value) if any(pads) else x


class SameConv(nn.Conv2d):
    """3x3 or 1x1 convolution without bias, SAME padding."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int):
        super().__init__(channels_in, channels_out, kernel, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', ceil(H / stride), ceil(W / stride)]."""
        if self.stride[0] == 1:  # symmetric, so the convolution pads by itself
            return F.conv2d(x, self.weight, padding=self.kernel_size[0] // 2)
        return F.conv2d(pad_same(x, self.kernel_size[0], self.stride[0]), self.weight, stride=self.stride)


class ResNetBlock(nn.Module):
    """Two 3x3 convolutions with a residual; projected where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.conv_0 = SameConv(channels_in, channels_out, 3, stride)
        self.norm_0 = nn.GroupNorm(GROUPS, channels_out, eps=1e-5)
        self.conv_1 = SameConv(channels_out, channels_out, 3, 1)
        self.norm_1 = nn.GroupNorm(GROUPS, channels_out, eps=1e-5)
        self.projected = stride != 1 or channels_in != channels_out
        if self.projected:
            self.conv_proj = SameConv(channels_in, channels_out, 1, stride)
            self.norm_proj = nn.GroupNorm(GROUPS, channels_out, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H / stride, W / stride]."""
        y = F.relu(self.norm_0(self.conv_0(x)), inplace=True)
        y = self.norm_1(self.conv_1(y))
        residual = self.norm_proj(self.conv_proj(x)) if self.projected else x
        return F.relu(y.add_(residual), inplace=True)


class ResNet10(nn.Module):
    """Frozen trunk: normalized pictures to feature maps; `width` scales every channel count."""

    def __init__(self, width: float = 1.0, seed: int = 0):
        """Random weights from `seed` alone (He normal, as the original initializes before loading)."""
        super().__init__()
        channels = [round(stage * width) for stage in STAGES]
        if width <= 0 or any(c % GROUPS or c == 0 for c in channels):
            raise LearningError(
                f"trunk_width: {width} gives channels {channels}, each must be a multiple of {GROUPS}; "
                "use 1.0 (original), 0.5 or 0.25"
            )
        self.width, self.channels = width, channels[-1]
        self.conv_init = nn.Conv2d(3, channels[0], 7, 2, 3, bias=False)
        self.norm_init = nn.GroupNorm(GROUPS, channels[0], eps=1e-5)
        sizes = zip([channels[0], *channels[:-1]], channels, (1, 2, 2, 2), strict=True)
        self.blocks = nn.ModuleList(ResNetBlock(a, b, stride) for a, b, stride in sizes)
        self.pixel_scale: Tensor
        self.pixel_shift: Tensor
        scale = torch.tensor(IMAGENET_STD) * 255.0
        self.register_buffer("pixel_scale", (1.0 / scale).view(1, 3, 1, 1), persistent=False)
        shift = -torch.tensor(IMAGENET_MEAN) / torch.tensor(IMAGENET_STD)
        self.register_buffer("pixel_shift", shift.view(1, 3, 1, 1), persistent=False)
        self._randomize(seed)
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _randomize(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_in = module.weight[0].numel()
                module.weight.data.normal_(0.0, (2.0 / fan_in) ** 0.5, generator=generator)

    def keep_stages(self, stages: int) -> None:
        """Cuts the trunk after its first stages (1..4): finer maps, fewer channels, a fraction of the cost.

        Raises:
            LearningError: not 1..4.
        """
        if stages not in range(1, len(STAGES) + 1):
            raise LearningError(
                f"trunk_stages: {stages}, must be 1 to {len(STAGES)}, e.g. {len(STAGES)} (whole trunk)"
            )
        self.blocks = self.blocks[:stages]
        self.channels = round(STAGES[stages - 1] * self.width)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 RGB [B, H, W, 3] -> float32 [B, channels, h, w]; whole trunk: h = ceil(H / 32)."""
        # A permuted HWC picture already is channels_last, which is also the fastest layout here.
        x = torch.addcmul(self.pixel_shift, images.permute(0, 3, 1, 2).float(), self.pixel_scale)
        x = F.relu(self.norm_init(self.conv_init(x)), inplace=True)
        x = F.max_pool2d(pad_same(x, 3, 2, float("-inf")), 3, 2)
        for block in self.blocks:
            x = block(x)
        return x
