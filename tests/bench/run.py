# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measures speeds, prints a table and writes bench/results.json.

    python tests/bench/run.py [--only graph] [--out bench/results.json]

Every entry is name -> {value, unit, how}. Machines differ and are noisy: compare numbers of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[2]
Results = dict[str, dict[str, Any]]


def controller(_: Path) -> Results:
    """Time of one update() of the control law, and with dynamics where the plugins are installed."""
    law = _built("hilserl_control")
    if law is None:
        raise SystemExit("bench: hilserl_control is not built; run scripts/build.sh")
    results = _update_times(law, LAW_CASES)
    plugins = _built("hilserl_controllers")
    if plugins is None:
        print("controller with dynamics: not measured, hilserl_controllers is not built (needs ros2_control)")
        return results
    return results | _update_times(plugins, PLUGIN_CASES)


# Name of the result, what the program puts in front of median_us ..., what was measured.
LAW_CASES = (
    ("update_us", "", "pose mode, dynamics excluded"),
    ("update_wrench_us", "wrench_", "wrench mode, dynamics excluded"),
    ("update_dynamic_nullspace_us", "dynamic_nullspace_", "pose mode, dynamic nullspace"),
)
PLUGIN_CASES = (
    ("update_with_dynamics_us", "", "law with dynamic nullspace and Pinocchio's dynamics"),
    ("update_plugin_us", "plugin_", "the whole ros2_control plugin"),
)


def _built(package: str) -> Path | None:
    """A package's bench_update, in this workspace or in one that is sourced."""
    candidates = [REPOSITORY / "build" / package / "bench_update"]
    prefixes = [REPOSITORY / "install" / package, *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    candidates += [Path(prefix) / "lib" / package / "bench_update" for prefix in prefixes]
    return next((program for program in candidates if program.is_file()), None)


def _update_times(program: Path, cases: tuple[tuple[str, str, str], ...]) -> Results:
    measured = json.loads(_output([str(program), "1000000"]))
    how = f"{measured['joints']} joints, {{}}, {measured['cycles']} cycles, C++"
    return {
        f"controller.{name}.{figure}": {
            "value": measured[f"{prefix}{figure}_us"],
            "unit": "us",
            "how": how.format(what),
        }
        for name, prefix, what in cases
        for figure in ("median", "p999", "max")
    }


def learner(work: Path) -> Results:
    """Updates per second with and without the feature cache, of every profile."""
    out = work / "learner.json"
    script = REPOSITORY / "src" / "hilserl_learning" / "bench" / "bench_updates.py"
    _output([sys.executable, str(script), "--out", str(out)])
    return dict(json.loads(out.read_text()))


def replay(work: Path) -> Results:
    """Insert, sample, memory of replay buffers."""
    out = work / "replay.json"
    _output([sys.executable, str(Path(__file__).with_name("replay.py")), "--out", str(out)])
    return dict(json.loads(out.read_text()))


def transport(work: Path) -> Results:
    """Transitions and policies between two processes."""
    out = work / "transport.json"
    _output([sys.executable, str(Path(__file__).with_name("transport.py")), "--out", str(out)])
    return dict(json.loads(out.read_text()))


def graph(work: Path) -> Results:
    """Steps per second of the whole lockstep graph with the learner at work."""
    out = work / "graph.json"
    _output(
        [sys.executable, str(Path(__file__).with_name("graph.py")), "--work", str(work), "--out", str(out)]
    )
    return dict(json.loads(out.read_text()))


def dashboard(work: Path) -> Results:
    """Steps per second of the lockstep graph with and without a dashboard that watches it."""
    out = work / "dashboard.json"
    script = Path(__file__).with_name("dashboard.py")
    _output([sys.executable, str(script), "--work", str(work), "--out", str(out)])
    return dict(json.loads(out.read_text()))


PARTS: dict[str, Callable[[Path], Results]] = {
    "controller": controller,
    "learner": learner,
    "replay": replay,
    "transport": transport,
    "graph": graph,
    "dashboard": dashboard,
}


def _output(command: list[str]) -> str:
    """Standard output of a command; its failure ends the benchmark with its error text."""
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=os.environ
    )
    if result.returncode:
        raise SystemExit(
            f"bench: {' '.join(command)} failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        )
    return result.stdout


def main() -> None:
    """Runs the parts and reports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", choices=sorted(PARTS), action="append", help="measure this part only; may be repeated"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench" / "results.json")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="hilserl_bench_") as work:
        for name in options.only or PARTS:
            console.print(f"measuring {name} ...")
            results |= PARTS[name](Path(work))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # A part measured alone keeps the others' earlier numbers.
    earlier = json.loads(options.out.read_text()) if options.only and options.out.exists() else {}
    options.out.write_text(json.dumps(earlier | results, indent=2) + "\n")
    table = Table("name", "value", "unit", "how")
    for name, entry in results.items():
        table.add_row(name, f"{entry['value']:.3g}", entry["unit"], entry["how"])
    console.print(table)
    console.print(f"written: {options.out}")


if __name__ == "__main__":
    main()
