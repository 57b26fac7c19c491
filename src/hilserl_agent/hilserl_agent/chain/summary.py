# SPDX-License-Identifier: Apache-2.0
"""What several runs of a chain amount to: success, attempts and times, whole and skill by skill. No ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from hilserl_agent.metrics import Row
from hilserl_learning.evaluation import wilson_interval

CHAINS_FILE = "chains.jsonl"
SUMMARY_FILE = "summary.json"


def summarize(chain: str, skills: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    """Summary of the rows of `chains.jsonl`; None where there is nothing to count.

    Args:
        skills: names, in the chain's order.
    """
    successes = sum(row["success"] for row in rows)
    times = [row["duration_s"] for row in rows if row["success"]]
    return {
        "chain": chain,
        "chains": len(rows),
        "successes": successes,
        "success_rate": successes / len(rows) if rows else None,
        "success_interval_95": list(wilson_interval(successes, len(rows))) if rows else None,
        "truth": _rate([row["truth_success"] for row in rows if row["truth_success"] is not None]),
        "seconds_of_a_success": _mean(times),
        "skills": {name: _skill([row["skills"][index] for row in rows]) for index, name in enumerate(skills)},
        "failures": dict(Counter(row["message"] for row in rows if not row["success"])),
    }


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The summary for a terminal."""
    if not summary["chains"]:
        return [f"{summary['chain']}: no chain was run to its end"]
    low, high = summary["success_interval_95"]
    lines = [
        f"{summary['chain']}: {summary['successes']} of {summary['chains']} chains succeeded "
        f"({summary['success_rate']:.0%}, 95% interval {low:.0%} to {high:.0%}){_truth(summary['truth'])}"
    ]
    for name, skill in summary["skills"].items():
        if not skill["chains"]:
            lines.append(f"  {name}: never reached")
            continue
        took = "" if skill["seconds_of_a_success"] is None else f", {skill['seconds_of_a_success']:.1f} s"
        attempts = ", ".join(f"{count} with {number}" for number, count in skill["attempts_used"].items())
        lines.append(
            f"  {name}: {skill['successes']} of {skill['chains']}{_truth(skill['truth'])}{took}; "
            f"attempts: {attempts}"
        )
    return lines


def _skill(results: Sequence[Row]) -> dict[str, Any]:
    reached = [result for result in results if result["attempts"]]
    good = [result for result in reached if result["success"]]
    return {
        "chains": len(reached),
        "successes": len(good),
        "success_rate": len(good) / len(reached) if reached else None,
        "first_attempt_successes": sum(result["attempts"] == 1 for result in good),
        "attempts_used": dict(sorted(Counter(result["attempts"] for result in reached).items())),
        "truth": _rate([result["truth"] for result in reached if result["truth"] is not None]),
        "seconds_of_a_success": _mean([result["duration_s"] for result in good]),
        "reasons": dict(Counter(result["reason"] for result in reached)),
    }


def _rate(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _truth(rate: float | None) -> str:
    return "" if rate is None else f", by the simulator {rate:.0%}"
