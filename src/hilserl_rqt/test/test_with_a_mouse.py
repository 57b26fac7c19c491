# SPDX-License-Identifier: Apache-2.0
"""The program itself on an X server, with a mouse that xdotool moves, before real service servers."""

import ctypes.util
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from played_graph import PlayedGraph

from hilserl_msgs.msg import Action, EpisodeSummary
from hilserl_rqt.dashboard import Dashboard
from hilserl_rqt.link import Link
from hilserl_rqt.qt import QtCore

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
if ctypes.util.find_library("xcb-cursor") is None:  # Qt on an X server
    MISSING.append("libxcb-cursor0")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (scripts/setup.sh names the packages)"
    ),
]
SIZE = (1280, 800)


@pytest.fixture
def display():
    """An X server with a free number."""
    server = subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            "1",
            "-screen",
            "0",
            f"{SIZE[0]}x{SIZE[1]}x24",
            "-dpi",
            "96",
            "-nolisten",
            "tcp",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


class Mouse:
    def __init__(self, display):
        self._environment = {**os.environ, "DISPLAY": display}

    def click(self, point):
        self._run("mousemove", str(point.x()), str(point.y()), "click", "1")

    def window(self):
        """Number of the dashboard's window; empty before it is there."""
        return self._run("search", "--onlyvisible", "--name", "hilserl dashboard")

    def _run(self, *arguments):
        done = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()


def test_clicks_reach_the_services(app, until, display):
    graph = PlayedGraph()
    # The same window without a screen says where its buttons are.
    model = Dashboard(Link())
    model.resize(*SIZE)
    model.show()
    environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    program = subprocess.Popen(
        [sys.executable, "-m", "hilserl_rqt.main", "--domain", os.environ["ROS_DOMAIN_ID"]], env=environment
    )
    mouse = Mouse(display)
    step = 0

    def play(condition, what, timeout_s=60.0):
        def holds():
            nonlocal step
            step += 1
            graph.step(1, step)
            time.sleep(0.03)
            return condition()

        until(holds, what, timeout_s)

    def centre(widget):
        return widget.mapTo(model, widget.rect().center())

    def click(widget, key):
        """Clicks until the service is asked: the program may not have found it yet."""
        before = len(graph.asked)
        again_s = 0.0

        def asked():
            nonlocal again_s
            if len(graph.asked) == before and time.monotonic() > again_s:
                again_s = time.monotonic() + 5.0
                mouse.click(centre(widget))
            return len(graph.asked) > before

        play(asked, f"a call of {key}")
        assert [name for name, _ in graph.asked[before:]] == [key]
        return graph.asked[-1][1]

    try:
        graph.episode(5)
        play(lambda: model._episodes.table.rowCount() == 1, "the episode")
        play(lambda: mouse.window(), "the window")
        buttons = model.bar.buttons
        assert click(buttons["success"], "operator_event").event == Action.EVENT_SUCCESS
        assert click(buttons["failure"], "operator_event").event == Action.EVENT_FAILURE
        assert click(buttons["discard"], "operator_event").event == Action.EVENT_DISCARD
        assert click(buttons["interventions"], "set_enabled").data is False
        assert click(buttons["pause_robot"], "pause_actor").data is True
        click(buttons["pause_learner"], "pause_learner")
        click(buttons["save"], "save")
        request = click(buttons["evaluate"], "evaluate")
        assert (request.episodes, request.deterministic) == (0, False)

        table = model._episodes.table
        row = table.visualItemRect(table.item(0, 1)).center() + table.viewport().mapTo(model, QtCore.QPoint())
        mouse.click(row)
        time.sleep(0.5)
        request = click(model._episodes.buttons["failure"], "correct")
        assert (request.episode, request.outcome) == (5, EpisodeSummary.OUTCOME_FAILURE)

        program.send_signal(signal.SIGINT)
        assert program.wait(20) == 0
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()
        model.shut_down()
        graph.close()


def test_without_a_display_the_program_says_so():
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = subprocess.run(
        [sys.executable, "-m", "hilserl_rqt.main"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "no display" in done.stderr
