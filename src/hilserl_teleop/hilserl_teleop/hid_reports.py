# SPDX-License-Identifier: Apache-2.0
"""Input reports of 3Dconnexion devices, as hidraw gives them: one report a read, its id first.

| id | bytes | of | meaning |
|----|-------|----|---------|
| 1 | 7 | SpaceNavigator, Compact, Pro (cable only) | x y z |
| 2 | 7 | the same, 8 ms later | rotation about x y z |
| 1 | 13 | Wireless and Pro Wireless (cable, receiver, Bluetooth), Enterprise | all six |
| 3 | 3, 5, 7 | all | one bit a button |
| 0x17 | 3 | wireless models | battery |

Numbers are int16, little endian, +-350 at full deflection (the logical range of the report descriptor). A
program that reads seven bytes, or waits for report 2, sees no rotation from the second kind: the length of
the report decides, never the model.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

TRANSLATION, ROTATION, BUTTONS = 1, 2, 3
ALL_AXES_BYTES, THREE_AXES_BYTES = 13, 7


@dataclass(frozen=True)
class Deflection:
    """Counts from an axis on: x right, y towards the person, z down; then rotations about them."""

    first: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ButtonBits:
    """One bit a button, the first button lowest."""

    bits: int


def parse(report: bytes) -> Deflection | ButtonBits | None:
    """What a report says; None for battery, empty and cut-off ones."""
    if not report:
        return None
    kind, size = report[0], len(report)
    if kind == TRANSLATION and size >= ALL_AXES_BYTES:
        return Deflection(0, struct.unpack_from("<6h", report, 1))
    if kind == TRANSLATION and size >= THREE_AXES_BYTES:
        return Deflection(0, struct.unpack_from("<3h", report, 1))
    if kind == ROTATION and size >= THREE_AXES_BYTES:
        return Deflection(3, struct.unpack_from("<3h", report, 1))
    if kind == BUTTONS and size >= 2:
        return ButtonBits(int.from_bytes(report[1:], "little"))
    return None
