# SPDX-License-Identifier: Apache-2.0
"""With real processes: what ends a phase, what is reported, and that nothing stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hilserl_bringup.commands import ExecutableNotFound
from hilserl_bringup.domain import own_domain
from hilserl_bringup.node_specs import NodeSpec
from hilserl_bringup.patience import Patience
from hilserl_bringup.process import Process
from hilserl_bringup.process_runner import INTERRUPTED, run_specs
from hilserl_bringup.respawn import WINDOW_S, Respawns

QUICK = Patience(interrupt_s=2.0, terminate_s=0.5, kill_s=2.0)
WAITS = "pathlib.Path('{folder}/waiter.pid').write_text(str(os.getpid()))\ntime.sleep(60)"
STUBBORN = (
    "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS
)
# Ends once the other process is up, so that no test depends on who starts faster.
AFTER_WAITER = (
    "while not pathlib.Path('{folder}/waiter.pid').exists(): time.sleep(0.01)\ntime.sleep(0.1)\n{then}"
)


def spec(name, *, main=False, respawn=False):
    return NodeSpec("pkg", name, name, parameters={"task": "t"}, main=main, respawn=respawn)


def alive(pid: int) -> bool:
    try:
        # A zombie that nobody has waited for yet does not run any more.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run(tmp_path, *specs, patience=QUICK, respawns=None):
    said: list[str] = []
    code = run_specs(specs, tmp_path, patience=patience, respawns=respawns, say=said.append)
    return code, "\n".join(said)


def waiter_pid(tmp_path) -> int:
    return int((tmp_path / "waiter.pid").read_text())


def test_the_end_of_the_main_process_ends_all(prefix, tmp_path):
    prefix("waiter", WAITS.format(folder=tmp_path))
    prefix("main", AFTER_WAITER.format(folder=tmp_path, then="sys.exit(0)"))
    code, said = run(tmp_path, spec("waiter"), spec("main", main=True))
    assert (code, said) == (0, "")
    assert not alive(waiter_pid(tmp_path))


def test_the_others_are_asked_to_save_before_they_end(prefix, tmp_path):
    prefix(
        "waiter",
        f"signal.signal(signal.SIGINT, lambda *_: (pathlib.Path('{tmp_path}/saved').touch(), sys.exit(0)))\n"
        + WAITS.format(folder=tmp_path),
    )
    prefix("main", AFTER_WAITER.format(folder=tmp_path, then="sys.exit(0)"))
    assert run(tmp_path, spec("waiter"), spec("main", main=True))[0] == 0
    assert (tmp_path / "saved").exists()


def test_a_process_that_ignores_everything_is_killed_and_named(prefix, tmp_path):
    prefix("waiter", STUBBORN.format(folder=tmp_path))
    prefix("main", AFTER_WAITER.format(folder=tmp_path, then="sys.exit(0)"))
    patience = Patience(interrupt_s=0.2, terminate_s=0.2, kill_s=5.0)
    code, said = run(tmp_path, spec("waiter"), spec("main", main=True), patience=patience)
    assert code == 0
    assert "waiter: still running 0.2 s after SIGINT" in said
    assert "after SIGTERM" in said
    assert not alive(waiter_pid(tmp_path))


def test_a_failing_main_process_is_reported_with_its_last_lines(prefix, tmp_path):
    prefix("main", "print('the bag is unreadable', file=sys.stderr); sys.exit(7)")
    code, said = run(tmp_path, spec("main", main=True))
    assert code == 7
    assert "main | the bag is unreadable" in said
    assert "main ended: exit code 7" in said
    assert str(tmp_path / "logs" / "main.log") in said


@pytest.mark.parametrize(
    ("then", "how", "expected"),
    [
        ("sys.exit(5)", "exit code 5", 5),
        ("sys.exit(0)", "exit code 0", 1),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal SIGSEGV", 128 + signal.SIGSEGV),
    ],
)
def test_a_dying_node_ends_the_phase_and_is_reported(prefix, tmp_path, then, how, expected):
    prefix("waiter", WAITS.format(folder=tmp_path))
    prefix("learner", AFTER_WAITER.format(folder=tmp_path, then=f"print('last words'); {then}"))
    code, said = run(tmp_path, spec("learner"), spec("waiter", main=True))
    assert code == expected
    assert f"learner ended while it was needed: {how}" in said
    assert "learner | last words" in said
    assert not alive(waiter_pid(tmp_path))


# Counts its starts in a file and dies by a signal until the wanted number of them.
DIES_UNTIL = (
    "starts = pathlib.Path('{folder}/starts'); starts.open('a').write('x')\n"
    "os.kill(os.getpid(), signal.SIGKILL) if len(starts.read_text()) < {wanted} else {then}"
)


def test_a_killed_process_that_keeps_its_work_is_started_again(prefix, tmp_path):
    prefix("waiter", WAITS.format(folder=tmp_path))
    prefix("actor", DIES_UNTIL.format(folder=tmp_path, wanted=3, then="sys.exit(0)"))
    respawns = Respawns(first_delay_s=0.01)
    code, said = run(tmp_path, spec("waiter"), spec("actor", main=True, respawn=True), respawns=respawns)
    assert code == 0
    assert said.splitlines() == [
        "actor ended: signal SIGKILL; starts again in 0.01 s (1 of 5)",
        "actor ended: signal SIGKILL; starts again in 0.02 s (2 of 5)",
    ]
    assert (tmp_path / "starts").read_text() == "xxx"


def test_one_that_dies_again_and_again_ends_the_phase(prefix, tmp_path):
    prefix("main", "time.sleep(60)")
    prefix("learner", DIES_UNTIL.format(folder=tmp_path, wanted=99, then="0"))
    respawns = Respawns(limit=2, first_delay_s=0.01)
    code, said = run(tmp_path, spec("main", main=True), spec("learner", respawn=True), respawns=respawns)
    assert code == 128 + signal.SIGKILL
    assert said.count("starts again") == 2
    assert "learner ended while it was needed: signal SIGKILL" in said
    assert (tmp_path / "starts").read_text() == "xxx"


@pytest.mark.parametrize(("respawn", "then"), [(True, "sys.exit(2)"), (False, "os.kill(os.getpid(), 9)")])
def test_wrong_input_and_other_processes_are_not_started_again(prefix, tmp_path, respawn, then):
    prefix("main", "time.sleep(60)")
    prefix("learner", DIES_UNTIL.format(folder=tmp_path, wanted=1, then=then))
    code, said = run(tmp_path, spec("main", main=True), spec("learner", respawn=respawn))
    assert code in (2, 137)
    assert "starts again" not in said
    assert (tmp_path / "starts").read_text() == "x"


def test_pauses_grow_and_old_deaths_are_forgotten():
    now = [0.0]
    respawns = Respawns(limit=3, first_delay_s=1.0, clock=lambda: now[0])
    assert [respawns.died("a") for _ in range(4)] == [1.0, 2.0, 4.0, None]
    assert respawns.died("b") == 1.0
    now[0] = WINDOW_S
    assert respawns.died("a") == 1.0


def test_last_lines_are_of_this_start_only(prefix, tmp_path):
    prefix("main", "print('first start'); sys.exit(1)")
    run(tmp_path, spec("main", main=True))
    prefix("main", "sys.exit(1)")
    _, said = run(tmp_path, spec("main", main=True))
    assert "first start" not in said
    assert (tmp_path / "logs" / "main.log").read_text() == "first start\n"


def test_nothing_starts_when_something_is_not_built(prefix, tmp_path):
    prefix("waiter", WAITS.format(folder=tmp_path))
    with pytest.raises(ExecutableNotFound, match="pkg/absent"):
        run(tmp_path, spec("waiter", main=True), spec("absent"))
    assert not (tmp_path / "waiter.pid").exists()


def test_exactly_one_main_process(prefix, tmp_path):
    with pytest.raises(ValueError, match="exactly one must be main"):
        run_specs([spec("a"), spec("b")], tmp_path)


def test_all_processes_of_a_run_share_a_domain_of_their_own(prefix, tmp_path):
    prefix("waiter", f"pathlib.Path('{tmp_path}/a').write_text(os.environ['ROS_DOMAIN_ID'])\ntime.sleep(60)")
    prefix(
        "main",
        f"while not pathlib.Path('{tmp_path}/a').exists(): time.sleep(0.01)\n"
        f"pathlib.Path('{tmp_path}/b').write_text(os.environ['ROS_DOMAIN_ID'])",
    )
    assert run(tmp_path, spec("waiter"), spec("main", main=True))[0] == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() != ""


def test_with_a_real_robot_the_domain_stays_that_of_its_drivers(prefix, tmp_path):
    prefix("main", "sys.exit(9 if 'ROS_DOMAIN_ID' in os.environ else 0)")
    assert run_specs([spec("main", main=True)], tmp_path, isolated=False, say=print) == 0
    assert run_specs([spec("main", main=True)], tmp_path, isolated=True, say=print) == 9


def test_two_runs_never_share_a_domain(prefix):
    with own_domain() as first, own_domain() as second:
        assert first != second
        assert {first, second} <= set(range(1, 51))


def test_a_domain_of_the_user_is_kept(prefix, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    with own_domain() as domain:
        assert domain == 42


@pytest.mark.parametrize("value", ["many", "300", "-1"])
@pytest.mark.parametrize("isolated", [True, False])
def test_a_wrong_domain_starts_nothing(prefix, tmp_path, monkeypatch, value, isolated):
    monkeypatch.setenv("ROS_DOMAIN_ID", value)
    prefix("main", f"pathlib.Path('{tmp_path}/started').touch()")
    with pytest.raises(RuntimeError, match=f"'{value}': must be a number from 0 to 232"):
        run_specs([spec("main", main=True)], tmp_path / "run", isolated=isolated)
    assert not (tmp_path / "started").exists()


RUNNER = """
import sys
from pathlib import Path
from hilserl_bringup.node_specs import NodeSpec
from hilserl_bringup.patience import Patience
from hilserl_bringup.process_runner import run_specs
specs = [NodeSpec("pkg", name, name, parameters={{"task": "t"}}, main=name == "waiter") for name in {names}]
sys.exit(run_specs(specs, Path({folder!r}), patience=Patience(2.0, 0.5, 2.0)))
"""


def start_runner(tmp_path, *names):
    code = RUNNER.format(names=names, folder=str(tmp_path))
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ, start_new_session=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("program", [WAITS, STUBBORN], ids=["willing", "stubborn"])
def test_a_signal_leaves_no_process(prefix, tmp_path, eventually, number, program):
    prefix("waiter", program.format(folder=tmp_path))
    runner = start_runner(tmp_path, "waiter")
    eventually((tmp_path / "waiter.pid").exists)
    eventually(lambda: (tmp_path / "waiter.pid").read_text())
    runner.send_signal(number)
    assert runner.wait(20) == INTERRUPTED
    assert not alive(waiter_pid(tmp_path))


def test_children_die_with_a_killed_runner(prefix, tmp_path, eventually):
    prefix("waiter", STUBBORN.format(folder=tmp_path))
    runner = start_runner(tmp_path, "waiter")
    eventually(lambda: (tmp_path / "waiter.pid").exists() and (tmp_path / "waiter.pid").read_text())
    runner.kill()
    runner.wait(20)
    eventually(lambda: not alive(waiter_pid(tmp_path)))


def test_what_a_process_started_itself_ends_with_it(prefix, tmp_path, eventually):
    grandchild = prefix("grandchild", STUBBORN.format(folder=tmp_path))
    prefix("parent", f"import subprocess\nsubprocess.Popen([{str(grandchild)!r}])\ntime.sleep(60)")
    prefix("main", AFTER_WAITER.format(folder=tmp_path, then="sys.exit(0)"))
    assert run(tmp_path, spec("parent"), spec("main", main=True))[0] == 0
    eventually(lambda: not alive(waiter_pid(tmp_path)))


def test_no_signal_goes_to_a_number_that_may_be_somebody_elses(prefix, tmp_path, eventually, monkeypatch):
    """The zombie keeps its number until the group is dead; after that nobody is signalled."""
    program = prefix("main", "sys.exit(3)")
    process = Process(spec("main", main=True), [str(program)], tmp_path / "main.log", os.environ)
    pid = process._popen.pid
    eventually(lambda: process.exit_code == 3)
    assert Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    process.clean_up()
    assert not Path(f"/proc/{pid}").exists()
    signalled = []
    monkeypatch.setattr(os, "killpg", lambda *arguments: signalled.append(arguments))
    process.send(signal.SIGKILL)
    process.clean_up()
    assert not signalled
    assert process.exit_code == 3
