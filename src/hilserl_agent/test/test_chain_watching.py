# SPDX-License-Identifier: Apache-2.0
"""Who watches a chain: what its monitor counts, draws and shows."""

import io
import json

import pytest
import yaml

from hilserl_agent.chain.chain_display import ChainDisplay
from hilserl_agent.chain.chain_monitor import ChainMonitor
from hilserl_agent.chain.sequence import CANCELLED
from hilserl_msgs.msg import ChainStatus, Observation, SimGroundTruth, SkillResult
from hilserl_ros import qos, topics
from hilserl_ros.codec import stamp_from_ns
from hilserl_ros.testing import RosGraph
from hilserl_task.chain_spec import ChainSpec

CHAIN = {"name": "two", "skills": [{"name": "a", "task": "ram_first"}, {"name": "b", "task": "ram_second"}]}
IDLE, MOVING, ACTING = ChainStatus.STATE_IDLE, ChainStatus.STATE_MOVING, ChainStatus.STATE_ACTING
DONE, FAILED = ChainStatus.STATE_DONE, ChainStatus.STATE_FAILED


def result(name, success=True, attempts=1):
    return SkillResult(
        name=name,
        attempts=attempts,
        success=success,
        steps=20,
        duration_s=2.0,
        reason="success" if success else "timeout",
    )


def status(state, stamp_ns, results=(), **values):
    message = ChainStatus(chain="two", state=state, skills=list(results), max_attempts=2, **values)
    message.header.stamp = stamp_from_ns(stamp_ns)
    return message


class Chain:
    """Speaks for the chain, the simulation and the observation node, to a real monitor."""

    def __init__(self, graph, kit):
        self._kit, self.graph = kit, graph
        self.monitor = graph.add(ChainMonitor)
        peer = graph.peer()
        self._status = peer.create_publisher(ChainStatus, topics.CHAIN_STATUS, qos.CHAIN_STATUS)
        self._truth = peer.create_publisher(SimGroundTruth, topics.SIM_GROUND_TRUTH, qos.SIM_GROUND_TRUTH)
        self._observation = peer.create_publisher(Observation, topics.OBSERVATION, qos.RECORDER)
        graph.connect(peer, {topics.CHAIN_STATUS: "subscriber", topics.OBSERVATION: "subscriber"})

    def says(self, *statuses):
        for message in statuses:
            self._status.publish(message)
            self.graph.spin_for(0.1)

    def sees(self, frames):
        for step in range(frames):
            self._observation.publish(self._kit.observation(0, step))
        self.graph.spin_for(0.3)

    def truth(self, stamp_ns, success):
        message = SimGroundTruth(success=success)
        message.header.stamp = stamp_from_ns(stamp_ns)
        self._truth.publish(message)
        self.graph.spin_for(0.1)


@pytest.fixture
def chain(kit, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(CHAIN), encoding="utf-8")
    run_dir = tmp_path / "chain"
    run_dir.mkdir()
    parameters = {"task": str(kit.task_file), "overrides": list(kit.small), "run_dir": str(run_dir)}
    with RosGraph(**parameters, chain=str(path), chains=3, pictured=1) as graph:
        yield Chain(graph, kit)


def rows(chain, count):
    path = chain.monitor.run_dir / "chains.jsonl"
    lines = chain.graph.spin_until(
        lambda: path.exists() and len(found := path.read_text().splitlines()) >= count and found,
        what=f"{count} chains in {path.name}",
    )
    return [json.loads(line) for line in lines]


def test_a_chain_becomes_a_row_with_the_truth_of_the_moment_each_skill_was_over(chain):
    a, b = result("a"), result("b", attempts=2)
    second = 10**9
    chain.says(status(IDLE, 0), status(MOVING, second), status(ACTING, 2 * second))
    chain.truth(3 * second, True)
    chain.truth(4 * second, False)
    chain.says(status(MOVING, 3 * second, [a]), status(DONE, 4 * second, [a, b]))
    row = rows(chain, 1)[0]
    assert (row["chain"], row["success"], row["truth_success"]) == (0, True, False)
    assert row["duration_s"] == pytest.approx(3.0)
    assert [(skill["name"], skill["attempts"], skill["truth"]) for skill in row["skills"]] == [
        ("a", 1, True),
        ("b", 2, False),
    ]
    summary = json.loads((chain.monitor.run_dir / "summary.json").read_text())
    assert (summary["chains"], summary["successes"], summary["truth"]) == (1, 1, 0.0)


def test_without_truth_it_is_written_as_unknown_and_a_skill_never_reached_has_no_attempt(chain):
    chain.says(status(MOVING, 10), status(FAILED, 20, [result("a", False, 2)], message="skill a failed"))
    row = rows(chain, 1)[0]
    assert (row["success"], row["truth_success"], row["message"]) == (False, None, "skill a failed")
    assert [(skill["attempts"], skill["truth"]) for skill in row["skills"]] == [(2, None), (0, None)]


def test_a_cancelled_chain_says_nothing_about_the_skills(chain):
    chain.says(status(ACTING, 10), status(FAILED, 20, message=f"chain {CANCELLED}"))
    chain.says(status(ACTING, 30), status(DONE, 40, [result("a"), result("b")]))
    assert [row["success"] for row in rows(chain, 1)] == [True]


def test_the_first_chain_is_filmed_and_the_next_is_not(chain):
    both = [result("a"), result("b")]
    for began in (10, 30):
        chain.says(status(ACTING, began))
        chain.sees(3)
        chain.says(status(DONE, began + 10, both))
    assert len(rows(chain, 2)) == 2
    chain.monitor.close()
    pictures = sorted(path.name for path in chain.monitor.run_dir.glob("chain_*"))
    assert pictures == ["chain_0000.mp4", "chain_0000.png"]
    assert all((chain.monitor.run_dir / name).stat().st_size > 500 for name in pictures)


# -- on the screen -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def row(success, *attempts):
    skills = [
        {"name": name, "attempts": count, "success": success, "reason": "success" if success else "timeout"}
        for name, count in zip("ab", attempts, strict=True)
    ]
    for skill in skills:
        skill["duration_s"] = 2.0
    return {"chain": 0, "success": success, "message": "a failed", "duration_s": 5.0, "skills": skills}


def test_a_log_gets_a_line_for_every_change_and_every_chain():
    stream = io.StringIO()
    display = ChainDisplay(ChainSpec.model_validate(CHAIN), 2, stream)
    display.show([])
    display.status = status(ACTING, 1, skill="a", attempt=1, step=3)
    display.show([])
    display.status = status(ACTING, 2, skill="a", attempt=1, step=4)
    display.show([])
    display.chain_over(row(True, 1, 2))
    display.chain_over(row(False, 2, 0))
    display.close(["two: 1 of 2"])
    assert stream.getvalue().splitlines() == [
        "waiting for the chain",
        "acting 'a', attempt 1 of 2",
        "chain 0: success in 5.0 s; a success after 1 attempt(s), 2.0 s; b success after 2 attempt(s), 2.0 s",
        "chain 0: failure (a failed) in 5.0 s; a timeout after 2 attempt(s), 2.0 s",
        "two: 1 of 2",
    ]


def test_a_terminal_gets_a_table_with_skills_attempts_and_counts():
    stream = Terminal()
    display = ChainDisplay(ChainSpec.model_validate(CHAIN), 4, stream)
    display.status = status(
        ACTING, 1, [result("a")], skill_index=1, skill="b", attempt=2, step=7, success_probability=0.25
    )
    display.show([row(True, 1, 1), row(False, 2, 0)])
    display.close(["over"])
    text = stream.getvalue()
    for words in (
        "chain two: 2/4 run",
        "acting, step 7",
        "2 of 2",
        "0.25",
        "1 of 2",
        "1 of 2 succeeded",
        "over",
    ):
        assert words in text, words
