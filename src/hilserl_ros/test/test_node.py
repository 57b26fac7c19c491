# SPDX-License-Identifier: Apache-2.0
"""The life of a node, seen by whoever started it: real processes, real signals."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode
from hilserl_ros.testing import RosGraph, own_domain
from hilserl_task import TaskError

A_NODE = Path(__file__).parent / "a_node.py"
TASK = str(Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml")


def start(*parameters: str) -> subprocess.Popen:
    own_domain()
    arguments = [word for parameter in (f"task:={TASK}", *parameters) for word in ("-p", parameter)]
    command = [sys.executable, str(A_NODE), "--ros-args", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def wait_ready(process: subprocess.Popen) -> None:
    assert process.stdout.readline() == "ready\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node_cleanly(number):
    process = start()
    wait_ready(process)
    process.send_signal(number)
    code, out, err = end(process)
    assert code == 0
    assert out.endswith("closed\n")
    assert "Traceback" not in err


def test_ctrl_c_twice_does_not_cut_the_closing_short():
    process = start("behaviour:=slow_close")
    wait_ready(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    code, out, _ = end(process)
    assert code == 0
    assert out.endswith("closed slowly\n")


def test_a_node_busy_in_a_callback_can_be_ended_by_asking_again_later():
    process = start("behaviour:=busy")
    wait_ready(process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2.3)
    process.send_signal(signal.SIGTERM)
    code, _, err = end(process)
    assert code == 128 + signal.SIGTERM
    assert "a_node: does not end" in err


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("fail", "gears are jammed"), ("action", "answer was not liked")]
)
def test_an_exception_in_a_callback_ends_the_node_with_1(behaviour, reason):
    code, out, err = end(start(f"behaviour:={behaviour}"))
    assert code == 1
    assert reason in err
    assert out.endswith("closed\n")


def test_finish_gives_the_exit_code():
    code, out, _ = end(start("behaviour:=finish"))
    assert code == 3
    assert out.endswith("closed\n")


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("task:=ram_insertio", "did you mean 'ram_insertion'?"),
        ("overrides:=['episode.max_step=3']", "did you mean 'max_steps'?"),
        ("seed:=abc", "expecting type 'INTEGER': seed"),
        ("seed:=-1", "seed: -1 must not be negative"),
        ("behaviour:=refuse", "answer: 41 must be 42"),
    ],
)
def test_an_unusable_parameter_is_one_line_and_exit_code_2(parameter, words):
    code, _, err = end(start(parameter))
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_parameters_reach_the_node():
    with RosGraph(task=TASK, overrides=["episode.max_steps=7"], run_dir="/somewhere", seed=5) as graph:
        node = graph.add(lambda: HilserlNode("plain"))
        assert (node.task.episode.max_steps, node.run_dir, node.seed) == (7, Path("/somewhere"), 5)


def test_a_wrong_task_raises_for_who_makes_the_node():
    with RosGraph(task=TASK, overrides=["period_s=5"]) as graph, pytest.raises(TaskError, match="period_s"):
        graph.add(lambda: HilserlNode("plain"))


def test_diagnostics_are_published_with_facts_and_not_repeated_at_once():
    with RosGraph(task=TASK) as graph:
        node, peer = graph.add(lambda: HilserlNode("plain")), graph.peer()
        seen = peer.collect(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)
        graph.connect(node, {topics.DIAGNOSTICS: "subscriber"})
        graph.spin_until(lambda: node._diagnostics.get_subscription_count(), what="subscriber")
        for k in range(50):
            node.diagnose(WARN, "camera is late", age_s=k)
        node.diagnose(ERROR, "camera is dead")
        node.diagnose(OK, "camera is back")
        graph.spin_until(lambda: len(seen) >= 3, what="three diagnostics")
        graph.spin_for(0.2)
        statuses = [status for array in seen for status in array.status]
        assert [(s.level, s.message) for s in statuses] == [
            (WARN, "camera is late"),
            (ERROR, "camera is dead"),
            (OK, "camera is back"),
        ]
        assert [(fact.key, fact.value) for fact in statuses[0].values] == [("age_s", "0")]
        assert statuses[0].name == "plain"
        deadline = time.monotonic() + 5
        while len(seen) < 4 and time.monotonic() < deadline:
            node.diagnose(WARN, "camera is late", age_s="again")
            graph.spin_for(0.05)
        assert seen[3].status[0].values[0].value == "again"
