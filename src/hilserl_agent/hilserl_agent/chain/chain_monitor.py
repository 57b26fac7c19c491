# SPDX-License-Identifier: Apache-2.0
"""Node `chain_monitor`: shows how a chain is going, writes `chains.jsonl`, `summary.json` and pictures.

Listens only. In simulation it looks at the truth, for figures alone.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field

from rclpy.executors import SingleThreadedExecutor

from hilserl_agent.chain.chain_display import ChainDisplay
from hilserl_agent.chain.film import Film
from hilserl_agent.chain.sequence import CANCELLED
from hilserl_agent.chain.summary import CHAINS_FILE, SUMMARY_FILE, summarize, summary_lines
from hilserl_agent.metrics import Row, append_row
from hilserl_agent.seeds import reset_seed
from hilserl_msgs.msg import ChainStatus, SimGroundTruth
from hilserl_ros import qos, topics
from hilserl_ros.codec import ns_from_stamp
from hilserl_ros.node import HilserlNode, run
from hilserl_task.chain_loader import load_chain

SHOW_EVERY_S = 0.25
TRUTH_WAIT_S = 1.0  # topics have no common order
QUEUED_S = 0.5  # for messages that have come but were not looked at when the node was asked to end
KEPT_TRUTHS = 2000
OVER = (ChainStatus.STATE_DONE, ChainStatus.STATE_FAILED)


@dataclass
class _Chain:
    """One run of the chain as it goes on: stamps [ns] of its start and of every skill's end."""

    began_ns: int
    ends_ns: list[int] = field(default_factory=list)
    last: ChainStatus | None = None
    over_at: float | None = None


class ChainMonitor(HilserlNode):
    """Parameters beside those of every node: `chain` as the chain's, `chains`, how many will run (0: not
    known), `pictured`, so many chains are kept as videos. Writes into run_dir."""

    def __init__(self) -> None:
        super().__init__("chain_monitor")
        self._spec = load_chain(self.declare_parameter("chain", "").value)
        self._target: int = self.declare_parameter("chains", 0).value
        pictured: int = self.declare_parameter("pictured", 1).value
        self._skills = [skill.name for skill in self._spec.skills]
        self._truth: dict[int, bool] = {}  # by stamp, newest last
        self._chain: _Chain | None = None
        self._ended: list[_Chain] = []
        self._rows: list[Row] = []
        self._film = Film(self, pictured)
        self._display = ChainDisplay(self._spec, self._target)
        self.create_subscription(ChainStatus, topics.CHAIN_STATUS, self._on_status, qos.CHAIN_STATUS)
        self.create_subscription(
            SimGroundTruth, topics.SIM_GROUND_TRUTH, self._on_truth, qos.SIM_GROUND_TRUTH
        )
        self.create_timer(SHOW_EVERY_S, self._on_timer)

    def close(self) -> None:
        """Writes what is still open down and leaves the result on the screen."""
        self._take_queued()
        for chain in self._ended:
            self._settle(chain)
        self._ended = []
        self._film.close()
        self._display.close(summary_lines(summarize(self._spec.name, self._skills, self._rows)))

    def _take_queued(self) -> None:
        """The chain ends right after its last run, and so do we."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        deadline = time.monotonic() + QUEUED_S
        while time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
        executor.remove_node(self)

    # -- what arrives ---------------------------------------------------------------------------------

    def _on_truth(self, message: SimGroundTruth) -> None:
        self._truth[ns_from_stamp(message.header.stamp)] = bool(message.success)
        while len(self._truth) > KEPT_TRUTHS:
            del self._truth[next(iter(self._truth))]

    def _on_status(self, message: ChainStatus) -> None:
        self._display.status = message
        stamp_ns = ns_from_stamp(message.header.stamp)
        if self._chain is None:
            if message.state == ChainStatus.STATE_IDLE:
                return
            if message.state in OVER and not message.skills:  # it never began
                self._chain = _Chain(stamp_ns)
            elif message.state not in OVER:
                self._chain = _Chain(stamp_ns)
                self._film.begin(len(self._rows) + len(self._ended))
            else:
                return
        chain = self._chain
        while len(chain.ends_ns) < len(message.skills):
            chain.ends_ns.append(stamp_ns)
        chain.last = message
        if message.state in OVER:
            chain.over_at = time.monotonic()
            self._film.end()
            self._chain = None
            if not message.message.endswith(CANCELLED):  # says nothing about the skills
                self._ended.append(chain)

    # -- writing --------------------------------------------------------------------------------------

    def _on_timer(self) -> None:
        waiting = []
        for chain in self._ended:
            known = all(self._truth_at(stamp) is not None for stamp in chain.ends_ns)
            if known or time.monotonic() - (chain.over_at or 0.0) > TRUTH_WAIT_S:
                self._settle(chain)
            else:
                waiting.append(chain)
        self._ended = waiting
        self._display.show(self._rows)

    def _truth_at(self, stamp_ns: int) -> bool | None:
        """Lockstep: of exactly this moment. Realtime: the nearest within a period. None: not known (yet)."""
        tolerance_ns = 0 if self.task.pacing == "lockstep" else round(self.task.period_s * 1e9)
        nearest = min(self._truth, key=lambda stamp: abs(stamp - stamp_ns), default=None)
        return (
            self._truth[nearest] if nearest is not None and abs(nearest - stamp_ns) <= tolerance_ns else None
        )

    def _settle(self, chain: _Chain) -> None:
        row = self._row(chain, len(self._rows))
        self._rows.append(row)
        append_row(self.run_dir / CHAINS_FILE, row)
        self._write_summary()
        self._display.chain_over(row)

    def _row(self, chain: _Chain, number: int) -> Row:
        """What `summarize` counts; the truth of a skill is that of the moment it was over."""
        last = chain.last
        assert last is not None
        results = {result.name: result for result in last.skills}
        truths = dict(zip(self._skills, map(self._truth_at, chain.ends_ns), strict=False))
        success = last.state == ChainStatus.STATE_DONE
        reached = [truths.get(name) for name in self._skills if name in results]
        known = bool(reached) and None not in reached
        return {
            "chain": number,
            "seed": reset_seed(self.seed, "chain", number) if self._target else None,
            "success": success,
            "truth_success": len(reached) == len(self._skills) and all(reached) if known else None,
            "message": last.message,
            "duration_s": (ns_from_stamp(last.header.stamp) - chain.began_ns) * 1e-9,
            "skills": [_skill_row(name, results.get(name), truths.get(name)) for name in self._skills],
        }

    def _write_summary(self) -> None:
        """A reader sees the old summary or the new one."""
        summary = summarize(self._spec.name, self._skills, self._rows)
        summary["runs"] = {skill.name: skill.run for skill in self._spec.skills}
        summary["seed"] = self.seed
        path = self.run_dir / SUMMARY_FILE
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)


def _skill_row(name: str, result: object, truth: bool | None) -> Row:
    row: Row = {"name": name, "truth": truth}
    for key, nothing in (
        ("attempts", 0),
        ("success", False),
        ("steps", 0),
        ("duration_s", 0.0),
        ("reason", ""),
    ):
        row[key] = getattr(result, key, nothing)
    return row


def main() -> None:
    """Entry point of the executable `chain_monitor`."""
    run(ChainMonitor)


if __name__ == "__main__":
    main()
