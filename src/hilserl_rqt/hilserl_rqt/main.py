# SPDX-License-Identifier: Apache-2.0
"""Executable `dashboard`: the window without rqt, beside a running demo or on any ROS domain."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hilserl_rqt.run_watch import MAX_DOMAIN, RunningGraph, running_graph

WRONG_INPUT = 2
WATCH_MS = 1000
LATEST = Path("runs/latest")
SIZE = (1280, 800)
NICE = 10  # beside a graph on the same machine the graph comes first


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(argv)
    if not _has_display():
        print(
            "dashboard: no display: neither DISPLAY nor WAYLAND_DISPLAY is set; "
            "example: ssh -X robot, or start it on the machine with the screen and the same ROS domain",
            file=sys.stderr,
        )
        return WRONG_INPUT
    if options.run_dir is not None and not options.run_dir.is_dir():
        print(f"dashboard: --run-dir {options.run_dir}: is no folder; example: runs/latest", file=sys.stderr)
        return WRONG_INPUT
    return _show(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dashboard",
        description="One window on a running graph: cameras, who has the robot, success, learner, labels. "
        "Without options it follows the run in runs/latest through all its phases; "
        "where none is running it listens in ROS_DOMAIN_ID.",
    )
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", help=f"follow the run in this folder (default: {LATEST})"
    )
    parser.add_argument(
        "--domain", type=_domain, metavar="N", help="listen in this ROS domain, follow no run"
    )
    parser.add_argument("--namespace", default="", metavar="NS", help="show the robot with this namespace")
    parser.add_argument("--full-screen", action="store_true", help="for a screen on the wall")
    _complete_with_shell(parser)
    return parser


def _complete_with_shell(parser: argparse.ArgumentParser) -> None:
    import argcomplete

    argcomplete.autocomplete(parser)


def _domain(text: str) -> int:
    if not text.isdigit() or int(text) > MAX_DOMAIN:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number from 0 to {MAX_DOMAIN}; example: 42")
    return int(text)


def _has_display() -> bool:
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in named)


def _show(options: argparse.Namespace) -> int:
    """Imports Qt and ROS only now: --help and wrong input answer at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))  # quiet also while the libraries load
    from hilserl_rqt.dashboard import Dashboard
    from hilserl_rqt.link import Link
    from hilserl_rqt.qt import QtCore, QtWidgets

    os.nice(NICE)
    app = QtWidgets.QApplication(["dashboard"])
    found = None if options.domain is not None else running_graph(_run_dir(options))
    link = Link(found.domain if found is not None else options.domain)
    window = Dashboard(link)
    window.resize(*SIZE)
    if options.namespace:
        link.listener.choose("/" + options.namespace.strip("/"))
    follower = Follower(window, _run_dir(options), options.namespace)
    timer = QtCore.QTimer()
    if options.domain is None:
        follower.say(found)
        timer.timeout.connect(follower.look)
        timer.start(WATCH_MS)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python sees the signal at the next tick of the window's timer.
        signal.signal(number, lambda *_: app.quit())
    window.showFullScreen() if options.full_screen else window.show()
    code = app.exec()
    window.shut_down()
    sys.stdout.flush()
    # Qt and pyqtgraph may crash while Python takes them apart in no particular order; pyqtgraph.exit() is
    # made for that, but knows no exit code. ROS is closed already, and there is no file to write.
    os._exit(code)


def _run_dir(options: argparse.Namespace) -> Path:
    return options.run_dir or LATEST


class Follower:
    """Takes the window along when the run goes on in another ROS domain."""

    def __init__(self, window: object, run_dir: Path, namespace: str) -> None:
        self._window, self._run_dir, self._namespace = window, run_dir, namespace

    def look(self) -> None:
        """Reads the run folder and moves if the domain has changed."""
        from hilserl_rqt.link import Link

        found = running_graph(self._run_dir)
        if found is not None and found.domain != self._window.link.domain:  # type: ignore[attr-defined]
            link = Link(found.domain)
            if self._namespace:
                link.listener.choose("/" + self._namespace.strip("/"))
            self._window.use(link)  # type: ignore[attr-defined]
        self.say(found)

    def say(self, found: RunningGraph | None) -> None:
        """What the window says about the run; between phases the last picture stays, as stale."""
        text = found.run if found is not None else f"no phase is running in {self._run_dir}"
        self._window.say_where(text)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
