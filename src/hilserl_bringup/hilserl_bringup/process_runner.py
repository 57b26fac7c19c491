# SPDX-License-Identifier: Apache-2.0
"""Runs the processes of one phase until the main one ends; for where `ros2 launch` is missing."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from hilserl_bringup.announcement import announced
from hilserl_bringup.commands import command
from hilserl_bringup.domain import chosen_domain, own_domain
from hilserl_bringup.node_specs import NodeSpec
from hilserl_bringup.patience import Patience
from hilserl_bringup.process import Process
from hilserl_bringup.respawn import Respawns

# Exit code of a shell command ended by Ctrl-C.
INTERRUPTED = 128 + signal.SIGINT
_POLL_S = 0.05


class StopRequest:
    """Remembers SIGINT, SIGTERM and SIGHUP. One more ends the patience with processes that are saving."""

    def __init__(self) -> None:
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    @contextmanager
    def installed(self) -> Iterator[StopRequest]:
        """Catches the signals inside the block, and puts the earlier handlers back behind it."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        earlier = {number: signal.signal(number, self._on_signal) for number in signals}
        try:
            yield self
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


def run_specs(
    specs: Sequence[NodeSpec],
    run_dir: Path,
    *,
    isolated: bool = True,
    stop: StopRequest | None = None,
    patience: Patience | None = None,
    respawns: Respawns | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Starts every spec, waits for the main one, and ends the others.

    Args:
        specs: of one phase, exactly one of them `main`.
        run_dir: logs go to `logs/<node>.log`, parameter files to `logs/parameters/`.
        isolated: in a ROS domain of its own. Not with a real robot, whose drivers run elsewhere.
        stop: signals of a caller that has installed its own; caught here by default.
        patience: with processes that are asked to end.
        respawns: how often specs with `respawn` are started again after a signal has ended them.
        say: takes lines for the user; standard error by default.

    Returns:
        0 if the main process succeeded, `INTERRUPTED` after Ctrl-C, SIGTERM or SIGHUP, else the exit code of
        the process that failed. Nothing is left running in any case.

    Raises:
        ExecutableNotFound: something is not built; nothing was started.
        RuntimeError: no free ROS domain, or a ROS_DOMAIN_ID that is none.
    """
    if sum(spec.main for spec in specs) != 1:
        raise ValueError(f"specs: exactly one must be main, not {[spec.name for spec in specs if spec.main]}")
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    commands = [command(spec, run_dir / "logs" / "parameters") for spec in specs]
    with ExitStack() as stack:
        if stop is None:
            stop = stack.enter_context(StopRequest().installed())
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        domain = stack.enter_context(own_domain()) if isolated else chosen_domain()
        if domain is not None:
            environment["ROS_DOMAIN_ID"] = str(domain)
        if not all(spec.offline for spec in specs):
            stack.enter_context(announced(run_dir, domain or 0))
        processes: list[Process] = []
        try:
            for spec, line in zip(specs, commands, strict=True):
                if stop:
                    break
                processes.append(Process(spec, line, run_dir / "logs" / f"{spec.name}.log", environment))
            first = _first_to_end(processes, stop, respawns or Respawns(), say)
        finally:
            _end_all(processes, patience or Patience(), stop, say)
    return _verdict(first, stop, say)


def _first_to_end(
    processes: list[Process], stop: StopRequest, respawns: Respawns, say: Callable[[str], None]
) -> Process | None:
    """Who decides the phase: the main process, or one that should not have ended. None after a signal.

    Processes that are started again take the place of those that died.
    """
    due: dict[Process, float] = {}  # died; monotonic time of the next start
    while not stop:
        for process in [process for process, at in due.items() if time.monotonic() >= at]:
            del due[process]
            processes[processes.index(process)] = process.again()
        ended = [process for process in processes if process.exit_code is not None and process not in due]
        for process in [process for process in ended if _starts_again(process, due, respawns, say)]:
            ended.remove(process)
        if ended:
            # When several ended within one poll, a failure explains more than a success that it caused.
            main = [process for process in ended if process.spec.main]
            failed = [process for process in ended if process.exit_code]
            return main[0] if main and main[0].exit_code == 0 else (failed or ended)[0]
        time.sleep(_POLL_S)
    return None


def _starts_again(
    process: Process, due: dict[Process, float], respawns: Respawns, say: Callable[[str], None]
) -> bool:
    """Enters a process that a signal has ended into `due`, if it may start again."""
    name, code = process.spec.name, process.exit_code
    if not process.spec.respawn or code is None or code >= 0:
        return False
    delay_s = respawns.died(name)
    if delay_s is None:
        return False
    number = f"{respawns.count(name)} of {respawns.limit}"
    say(f"{name} ended: {process.ended}; starts again in {delay_s:g} s ({number})")
    process.clean_up()
    due[process] = time.monotonic() + delay_s
    return True


def _end_all(
    processes: list[Process], patience: Patience, stop: StopRequest, say: Callable[[str], None]
) -> None:
    """SIGINT to all, SIGTERM and SIGKILL to those who stay."""
    steps = (
        (signal.SIGINT, patience.interrupt_s),
        (signal.SIGTERM, patience.terminate_s),
        (signal.SIGKILL, patience.kill_s),
    )
    running = [process for process in processes if process.exit_code is None]
    for number, seconds in steps:
        for process in running:
            process.send(number)
        running = _wait_for(running, seconds, stop)
        if not running:
            break
        names = ", ".join(process.spec.name for process in running)
        say(f"{names}: still running {seconds:g} s after {number.name}")
    for process in processes:
        process.clean_up()  # what a process may have started itself


def _wait_for(processes: list[Process], seconds: float, stop: StopRequest) -> list[Process]:
    """Waits at most `seconds`, or until one more signal; returns who is still running."""
    deadline, signals = time.monotonic() + seconds, stop.count
    running = processes
    while running and time.monotonic() < deadline and (stop.count == signals):
        time.sleep(_POLL_S)
        running = [process for process in running if process.exit_code is None]
    return running


def _verdict(first: Process | None, stop: StopRequest, say: Callable[[str], None]) -> int:
    if first is None or (stop and first.exit_code):
        return INTERRUPTED
    code = first.exit_code
    if first.spec.main and code == 0:
        return 0
    for line in first.last_lines():
        say(f"  {first.spec.name} | {line}")
    role = "" if first.spec.main else " while it was needed"
    say(f"{first.spec.name} ended{role}: {first.ended}. Log: {first.log}")
    if not code:
        return 1
    return code if code > 0 else 128 - code
