# SPDX-License-Identifier: Apache-2.0
"""What two configurations disagree on, key by key."""

from __future__ import annotations

from typing import Any

MISSING = "missing"


def differences(mine: Any, theirs: Any, key: str = "") -> list[str]:
    """One text for each value that differs, e.g. `learner.discount: 0.97 here, 0.95 there`.

    Args:
        mine, theirs: nested dicts and lists of plain values, as JSON gives them.
        key: name of the part that is compared; of the whole, left out.
    """
    if isinstance(mine, dict) and isinstance(theirs, dict):
        names = [*mine, *(name for name in theirs if name not in mine)]
        pairs = [(str(name), mine.get(name, MISSING), theirs.get(name, MISSING)) for name in names]
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        pairs = [(str(index), *pair) for index, pair in enumerate(zip(mine, theirs, strict=True))]
    else:
        return [] if mine == theirs else [f"{key}: {mine} here, {theirs} there"]
    return [text for name, a, b in pairs for text in differences(a, b, f"{key}.{name}" if key else name)]
