# SPDX-License-Identifier: Apache-2.0
"""Writes doc/parameters.md from the parameter files: `python make_parameter_table.py` in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DOC = Path(__file__).resolve().parent
TABLE = DOC / "parameters.md"
FILES = (
    "cartesian_impedance_controller_parameters.yaml",
    "cartesian_admittance_controller_parameters.yaml",
)
HEAD = "# Parameters\n\nMade by `make_parameter_table.py` from the parameter files in `src/`; do not edit.\n"
# Words for the rules of generate_parameter_library and of parameter_rules.hpp.
RULES = {
    "not_empty<>": "not empty",
    "unique<>": "no value twice",
    "fixed_size<>": "{0} entries",
    "size_lt<>": "fewer than {0} entries",
    "hilserl_controllers::within": "{0} to {1}",
    "element_bounds<>": "each {0} to {1}",
    "lower_element_bounds<>": "each at least {0}",
    "hilserl_controllers::above": "above {0}",
    "hilserl_controllers::at_least": "at least {0}",
    "one_of<>": "one of {0}",
}


def main() -> None:
    """Writes the table."""
    TABLE.write_text(table())


def table() -> str:
    """The whole page."""
    return HEAD + "".join(_section(DOC.parent / "src" / name) for name in FILES)


def _section(path: Path) -> str:
    content = yaml.safe_load(path.read_text())
    (controller,) = content
    lines = [
        f"\n## {controller}\n",
        "| parameter | type | default | rule | run time | |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in _leaves(content[controller]):
        rule = "; ".join(_rule(key, value) for key, value in entry.get("validation", {}).items())
        changes = "" if entry.get("read_only") else "yes"
        default = str(entry["default_value"]).replace("'", "")
        lines.append(
            f"| `{name}` | {entry['type']} | {default} | {rule} | {changes} | {entry['description']} |"
        )
    return "\n".join(lines) + "\n"


def _leaves(entries: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in entries.items():
        if "type" in entry:
            yield prefix + name, entry
        else:
            yield from _leaves(entry, f"{prefix}{name}.")


def _rule(key: str, values: list[Any]) -> str:
    if key not in RULES:
        raise ValueError(f"validation {key}: no words for it here; add it to RULES")
    words = [", ".join(value) if isinstance(value, list) else str(value) for value in values]
    return RULES[key].format(*words)


if __name__ == "__main__":
    main()
