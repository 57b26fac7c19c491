# SPDX-License-Identifier: Apache-2.0
"""Random numbers of updates: processes that share a batch together draw what one process would.

Everything random in an update that has one entry per row of the batch is drawn here. With a plain generator
that is torch.randn and its kin. With a `ShardGenerator` the numbers of the joint batch are drawn and the own
rows of them returned: processes with the same generator state together see what one process would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class ShardGenerator(torch.Generator):
    """Generator of one of `ranks` processes, each of which has an equal share of the rows of every batch."""

    rank: int = 0
    ranks: int = 1

    def share(self, rank: int, ranks: int) -> ShardGenerator:
        """Sets which share this process has; returns itself."""
        self.rank, self.ranks = rank, ranks
        return self


def normal(shape: Sequence[int], generator: torch.Generator, batch_axis: int = 0) -> Tensor:
    """Unit normal numbers of `shape` on the generator's device; `batch_axis` counts the rows of the batch."""
    return _rows(
        lambda joint: torch.randn(joint, generator=generator, device=generator.device),
        shape,
        generator,
        batch_axis,
    )


def uniform(shape: Sequence[int], generator: torch.Generator, batch_axis: int = 0) -> Tensor:
    """Numbers in [0, 1) of `shape` on the generator's device."""
    return _rows(
        lambda joint: torch.rand(joint, generator=generator, device=generator.device),
        shape,
        generator,
        batch_axis,
    )


def integers(high: int, shape: Sequence[int], generator: torch.Generator, batch_axis: int = 0) -> Tensor:
    """int64 numbers in 0..high - 1 of `shape` on the generator's device."""
    return _rows(
        lambda joint: torch.randint(high, joint, generator=generator, device=generator.device),
        shape,
        generator,
        batch_axis,
    )


def _rows(
    draw: Callable[[list[int]], Tensor], shape: Sequence[int], generator: torch.Generator, axis: int
) -> Tensor:
    joint = list(shape)
    if not isinstance(generator, ShardGenerator):
        return draw(joint)
    own = joint[axis]
    joint[axis] = own * generator.ranks
    return draw(joint).narrow(axis, generator.rank * own, own)
