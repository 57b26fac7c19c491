# SPDX-License-Identifier: Apache-2.0
"""One child process: started in a session of its own, logged, and never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hilserl_bringup.node_specs import NodeSpec

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_LOG_TAIL_BYTES = 8192


class Process:
    """A running spec. The log file is appended to, so that a resumed run keeps what came before."""

    def __init__(
        self, spec: NodeSpec, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        """Starts the process.

        Raises:
            OSError: the executable cannot be run.
        """
        self.spec = spec
        self.log = log
        self._command, self._environment = command, environment
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as output:
            # A session of its own: Ctrl-C in the terminal reaches the runner alone, which ends all in order.
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=None if spec.terminal else output,
                stderr=None if spec.terminal else output,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the number of the signal that ended it.

        An ended process is not reaped before `clean_up`: until then its number, which is also that of its
        group, cannot become somebody else's.
        """
        if self._popen.returncode is not None:
            return self._popen.returncode
        ended = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    @property
    def ended(self) -> str:
        """How it ended, in words: `exit code 3` or `signal SIGKILL`."""
        code = self.exit_code
        if code is None:
            return "still running"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process and everything it started; none once it is cleaned up."""
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def clean_up(self) -> None:
        """Kills what is left of its group, then reaps it."""
        self.send(signal.SIGKILL)
        self._popen.poll()

    def again(self) -> Process:
        """Starts the same once more.

        Raises:
            OSError: the executable cannot be run.
        """
        return Process(self.spec, self._command, self.log, self._environment)

    def last_lines(self, count: int = 15) -> list[str]:
        """Last lines of this start's log; empty where the process wrote to the terminal."""
        if self.spec.terminal:
            return []
        with open(self.log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - _LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]


def _die_with(parent: int):  # type: ignore[no-untyped-def]
    """Runs in the child before exec: the kernel kills it when the runner is gone, however that happened."""

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the runner died before prctl
            os._exit(1)

    return prepare
