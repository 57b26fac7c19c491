# SPDX-License-Identifier: Apache-2.0
"""The real libspnav and the real node against a server that speaks spacenavd's protocol."""

import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest

from hilserl_ros import codec
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError
from hilserl_teleop import spnav as spnav_module
from hilserl_teleop.device import DEVICE_RATE_HZ
from hilserl_teleop.spacenav_node import SpacenavNode
from hilserl_teleop.spnav import Motion, NoDaemon, Press, Spnav, Unplugged

_spec = importlib.util.spec_from_file_location("devices", Path(__file__).with_name("devices.py"))
devices = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(devices)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "spnav.sock")


def collect(spnav, count):
    found, deadline = [], time.monotonic() + 5
    while len(found) < count and time.monotonic() < deadline:
        found += spnav.events()
        time.sleep(0.005)
    return found


@pytest.mark.parametrize("protocol", [0, 1])
def test_the_library_hears_motion_and_buttons(path, protocol):
    with devices.Spacenavd(path, protocol) as daemon:
        spnav = Spnav(path)
        assert spnav.protocol == protocol
        assert spnav.has_device()
        assert spnav.device_name() == ("3Dconnexion SpaceNavigator" if protocol else "")
        daemon.motion(1, -2, 3, -4, 5, -6)
        daemon.button(1, True)
        daemon.button(1, False)
        expected = [Motion((1, -2, 3, -4, 5, -6)), Press(1, True), Press(1, False)]
        assert collect(spnav, 3) == expected
        spnav.close()
        spnav.close()


def test_an_unplugged_device_and_an_ended_daemon_are_noticed(path):
    with devices.Spacenavd(path) as daemon:
        spnav = Spnav(path)
        daemon.unplug()
        assert collect(spnav, 1) == [Unplugged()]
        assert not spnav.has_device()
        daemon.stop()
        with pytest.raises(NoDaemon, match="ended"):
            collect(spnav, 1)
        spnav.close()
    with pytest.raises(NoDaemon, match=r"spnav\.sock"):
        Spnav(path)


def test_a_missing_library_says_what_to_install(path, monkeypatch):
    monkeypatch.setattr(spnav_module, "LIBRARY", "libspnav_missing.so.0")
    spnav_module._library.cache_clear()
    try:
        with pytest.raises(TaskError, match=r"apt install libspnav0.*driver: hidraw"):
            Spnav(path)
    finally:
        spnav_module._library.cache_clear()


def graph_of(path, **more):
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    return RosGraph(
        task="ram_insertion", overrides=[f"operator.devices=[{{driver: spacenav, path: {path}{keys}}}]"]
    )


def test_node_publishes_what_the_stock_driver_publishes(path):
    with devices.Spacenavd(path) as daemon, graph_of(path) as graph:
        hand = devices.Hand(graph)
        graph.add(SpacenavNode)
        hand.wait_for_word("device ready")
        # spnav: x right, y up, z forward. Stock driver: x forward, y left, z up, the same for rotations.
        daemon.motion(70, 35, 175, 350, -105, 700)
        hand.wait_for(lambda: hand.stick().any(), "motion")
        np.testing.assert_allclose(hand.stick(), [0.5, -0.2, 0.1, 1.0, -1.0, -0.3], atol=1e-6)
        np.testing.assert_allclose(hand.joys[-1].axes, hand.stick(), atol=1e-6)
        daemon.motion()
        hand.wait_for(lambda: not hand.stick().any(), "rest")
        count = len(hand.joys)
        hand.wait_for(lambda: len(hand.joys) > count + 30, "readings of a still hand")
        assert DEVICE_RATE_HZ >= 30


def test_a_tap_between_two_messages_is_one_press(path):
    with devices.Spacenavd(path) as daemon, graph_of(path) as graph:
        hand = devices.Hand(graph)
        graph.add(SpacenavNode)
        hand.wait_for_word("device ready")
        daemon.button(0, True)
        daemon.button(0, False)
        hand.wait_for(lambda: any(joy.buttons[0] for joy in hand.joys), "success")
        hand.wait_for(lambda: not any(hand.joys[-1].buttons), "release")
        daemon.button(1, True)
        hand.wait_for(lambda: list(hand.joys[-1].buttons) == [0, 1, 0, 0], "discard")


def test_a_deflection_without_events_is_neutral_until_let_go(path):
    with devices.Spacenavd(path) as daemon, graph_of(path) as graph:
        hand = devices.Hand(graph)
        graph.add(SpacenavNode)
        hand.wait_for_word("device ready")
        daemon.motion(z=175)
        hand.wait_for(lambda: hand.stick().any(), "motion")
        hand.wait_for_word("device stuck")
        moved = [codec.ns_from_stamp(t.header.stamp) for t in hand.twists if t.twist.linear.x]
        assert moved[-1] - moved[0] <= 0.2e9
        assert not hand.stick().any()
        daemon.motion(z=180)
        hand.wait_for_word("let go of the device")
        assert not hand.stick().any()
        daemon.motion()
        hand.wait_for_word("device steers again")
        daemon.motion(z=180)
        hand.wait_for(lambda: hand.stick()[0] > 0.5, "motion after letting go")


def test_missing_ended_and_restarted_daemon_and_unplugged_mouse(path):
    with graph_of(path) as graph:
        hand = devices.Hand(graph)
        graph.add(SpacenavNode)
        hand.wait_for_word("device gone")
        assert "systemctl start spacenavd" in hand.said[-1].values[-1].value
        assert not hand.stick().any()
        with devices.Spacenavd(path) as daemon:
            hand.wait_for_word("device ready")
            daemon.motion(z=350)
            hand.wait_for(lambda: hand.stick().any(), "motion")
        hand.wait_for(lambda: not hand.stick().any(), "neutral", 0.5)
        with devices.Spacenavd(path, plugged=False) as daemon:
            words = "no SpaceMouse is plugged in"
            hand.wait_for(lambda: any(words in v.value for s in hand.said for v in s.values), words)
            daemon.plugged = True
            hand.wait_for_word("device steers again")
            daemon.motion(z=350)
            hand.wait_for(lambda: hand.stick().any(), "motion again")
            daemon.unplug()
            hand.wait_for(lambda: not hand.stick().any(), "neutral", 0.5)
