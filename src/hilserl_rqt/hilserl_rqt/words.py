# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them. What is not known is a dash, never a zero."""

from __future__ import annotations

import math

UNKNOWN = "–"


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A figure with a fixed number of decimals."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    rounded = round(value, digits) + 0.0  # no -0.0
    return f"{rounded:.{digits}f}{f' {unit}' if unit else ''}"


def share(value: float | None) -> str:
    """0..1 as per cent."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{100 * value:.0f} %"


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """Bytes with a binary unit."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def count(value: int) -> str:
    """Thousands apart."""
    return f"{value:,}".replace(",", " ")


def plural(count: int, thing: str) -> str:
    """1 error, 2 errors."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def age(seconds: float | None) -> str:
    """How old what is shown is; empty while it is fresh."""
    return "no data" if seconds is None else f"{duration(seconds)} old"
