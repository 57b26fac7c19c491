# SPDX-License-Identifier: Apache-2.0
"""The window goes along when a run goes on in another ROS domain."""

import contextlib
import json
import os

from domain_coordinator import domain_id
from played_graph import PlayedGraph

from hilserl_msgs.msg import Action
from hilserl_rqt.dashboard import Dashboard
from hilserl_rqt.link import Link
from hilserl_rqt.main import Follower
from hilserl_rqt.qt import QtWidgets


@contextlib.contextmanager
def announced(run_dir, domain):
    """What the process runner writes while a phase runs."""
    file = run_dir / "graph.json"
    file.write_text(json.dumps({"ros_domain_id": domain, "pid": os.getpid()}))
    yield
    file.unlink()


def test_from_phase_to_phase(app, until, tmp_path):
    with domain_id() as other:
        here = int(os.environ["ROS_DOMAIN_ID"])
        first, second = PlayedGraph(domain=here), PlayedGraph(domain=other)
        window = Dashboard(Link(here))
        window.show()
        follower = Follower(window, tmp_path, "")
        banner = window.findChild(QtWidgets.QFrame, "banner")

        def owner():
            follower.look()
            first.step(1, 1, source=Action.SOURCE_HUMAN)
            second.step(2, 7, source=Action.SOURCE_POLICY)
            return banner.word.text()

        def title():
            return window._name.toolTip()

        try:
            with announced(tmp_path, here):
                until(lambda: owner() == "HUMAN", "the first phase")
                until(lambda: owner() and title().startswith(tmp_path.name), "the name of the run")
            until(lambda: owner() and title().startswith("no phase is running"), "the break")
            assert window.link.domain == here  # the last values stay
            with announced(tmp_path, other):
                until(lambda: owner() == "POLICY", "the second phase")
            assert window.link.domain == other
        finally:
            window.shut_down()
            first.close()
            second.close()
