# SPDX-License-Identifier: Apache-2.0
"""Writes doc/parameters.md: names, defaults and units of every field of config.hpp.

    python doc/generate_parameters.py

Names and comments come from include/hilserl_control/config.hpp, defaults from the built module. A test
compares.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import hilserl_control as hc

FOLDER = Path(__file__).resolve().parent
HEADER = FOLDER.parent / "include" / "hilserl_control" / "config.hpp"
PAGE = FOLDER / "parameters.md"
TITLE = """# Parameters of the law

Generated from `include/hilserl_control/config.hpp` by `doc/generate_parameters.py`. Six-vectors are x y z,
then rotation about x y z, base axes. A wrong value is refused with its name, the value, the rule and an
example.
"""


def body(struct: str) -> list[str]:
    """Lines of a struct of the header."""
    text = HEADER.read_text()
    start = text.index(f"struct {struct} {{")
    return text[start : text.index("\n};", start)].splitlines()[1:]


def fields(struct: str) -> list[tuple[str, str, str]]:
    """(section, name, comment) of every field of a struct."""
    found: list[tuple[str, str, str]] = []
    section, above, statement, trailing = "", [], "", False
    for line in body(struct):
        text = line.strip()
        if text.startswith("///<") and trailing:
            last = found.pop()
            found.append((*last[:2], f"{last[2]} {text.removeprefix('///<').strip()}"))
        elif text.startswith("///"):
            above.append(text.removeprefix("///").strip())
        elif text.startswith("//"):
            section = text.removeprefix("//").strip()
        elif text:
            code, _, comment = text.partition("///<")
            statement += " " + code.strip()
            trailing = bool(comment)
            if not statement.rstrip().endswith(";"):
                continue
            match = re.match(r".*?[>\w]\s+(\w+)\s*(=|\{|;)", statement.strip())
            if match and "(" not in statement.split("=")[0]:
                found.append((section, match[1], " ".join(above) or comment.strip()))
            above, statement = [], ""
    return found


def shown(value: object) -> str:
    """A default as one reads it."""
    if value is None:
        return "none"
    if isinstance(value, hc.Gains):
        return "see below"
    if isinstance(value, np.ndarray):
        numbers = [f"{number:g}" for number in value]
        return numbers[0] if len(set(numbers)) == 1 and len(numbers) > 3 else "[" + ", ".join(numbers) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(struct: str, *owners: object) -> list[str]:
    """Rows of a Markdown table, one column of defaults per owner."""
    rows, last = [], None
    for section, name, comment in fields(struct):
        if section and section != last:
            rows.append(f"| **{section}** | " + " | ".join([""] * len(owners)) + " | |")
        last = section
        defaults = " | ".join(shown(getattr(owner, name)) for owner in owners)
        rows.append(f"| `{name}` | {defaults} | {comment} |")
    return rows


def page() -> str:
    """The whole page."""
    config = hc.ControllerConfig()
    return "\n".join(
        [
            TITLE,
            "| `ControllerConfig` | default | meaning |",
            "|---|---|---|",
            *table("ControllerConfig", config),
            "",
            "| `Gains` | default of `gains` | default of `wrench_gains` | meaning |",
            "|---|---|---|---|",
            *table("Gains", config.gains, config.wrench_gains),
            "",
            "| `OrientationBound` | example | meaning |",
            "|---|---|---|",
            *table("OrientationBound", hc.OrientationBound([1, 0, 0, 0], [-0.5] * 3, [0.5] * 3)),
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"written: {PAGE}")
