# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from hilserl_msgs.msg import CartesianControllerState, EpisodeSummary, TrainingStatus
from hilserl_ros.codec import header
from hilserl_rqt import words
from hilserl_rqt.episodes import EpisodeBook
from hilserl_rqt.limits import AXIS_RULES, JOINT_RULES, RECENT_S, LimitMemory
from hilserl_rqt.run_watch import running_graph
from hilserl_rqt.state import PROBLEM_S, Curve, Latest, Problems, picture_of


def summary(episode, outcome=1, **values):
    given = {"phase": "train", "steps": 10, "intervention_steps": 2, "duration_s": 1.0 + episode}
    return EpisodeSummary(
        header=header(1 + episode), actor_id="actor", episode=episode, outcome=outcome, **(given | values)
    )


def test_figures_are_over_the_last_twenty_that_count():
    book = EpisodeBook()
    for number in range(30):
        book.add(summary(number, outcome=1 if number >= 15 else 2))
    book.add(summary(30, outcome=2, discarded=True, intervention_steps=10))
    running = book.running(None)
    assert running.episodes == 20
    assert running.success == pytest.approx(15 / 20)  # 15 .. 29 of 10 .. 29
    assert running.interventions == pytest.approx(0.2)
    assert running.cycle_time_s == pytest.approx(1 + np.mean(range(15, 30)))


def test_a_repeated_summary_counts_once_and_a_new_phase_begins_anew():
    book = EpisodeBook()
    book.add(summary(1))
    book.add(summary(1))
    assert len(book.newest(10)) == 1
    book.add(summary(2, outcome=2, phase="evaluate"))
    assert book.running(None).success == 0.0
    assert book.running(None).episodes == 1


def test_a_corrected_label_counts():
    book = EpisodeBook()
    book.add(summary(1, outcome=1))
    book.add(summary(2, outcome=1))
    book.correct(2, "failure")
    assert [episode.judged for episode in book.newest(2)] == ["failure", "success"]
    assert book.newest(1)[0].outcome == "success"
    assert book.running(None).success == 0.5


def test_the_learner_knows_what_was_before_this_window():
    book = EpisodeBook()
    book.add(summary(99, outcome=2))
    status = TrainingStatus(episodes=99, success_rate=0.9, intervention_rate=0.1, cycle_time_s=math.nan)
    running = book.running(status)
    assert (running.episodes, running.success, running.cycle_time_s) == (20, pytest.approx(0.9), None)
    assert running.source == "learner"
    book.add(summary(100, phase="evaluate"))
    assert book.running(status).source == "seen here"  # the learner counts training episodes only


def test_limits_say_axis_and_rule_and_fade():
    memory = LimitMemory()
    flags = [0, 0, CartesianControllerState.LIMIT_CLIP | CartesianControllerState.LIMIT_WORKSPACE, 0, 0, 0]
    memory.update(flags, [0, 0, 0, CartesianControllerState.JOINT_LIMIT_POSITION, 0, 0, 0], now_s=10.0)
    memory.update([0] * 6, [0] * 7, now_s=11.0)
    assert [str(touch) for touch in memory.touches(11.0)] == ["z clip", "z box", "joint 4 position"]
    assert memory.age_s("z", "clip", 11.0) == pytest.approx(1.0)
    assert memory.age_s("x", "clip", 11.0) is None
    assert memory.touches(10.1 + RECENT_S) == []


def test_every_limit_of_the_message_has_a_name():
    constants = {n: getattr(CartesianControllerState, n) for n in dir(CartesianControllerState)}
    axis = {value for name, value in constants.items() if name.startswith("LIMIT_")}
    joint = {value for name, value in constants.items() if name.startswith("JOINT_LIMIT_")}
    assert axis == {bit for bit, _, _ in AXIS_RULES}
    assert joint == {bit for bit, _, _ in JOINT_RULES}


def test_latest_grows_stale():
    latest = Latest(stale_s=2.0)
    assert latest.stale(0.0)
    assert latest.age_s(0.0) is None
    latest.put("message", 5.0)
    assert latest.fresh(7.0) == "message"
    assert latest.stale(7.1)
    assert latest.message == "message"


def test_a_curve_forgets_after_a_minute_and_leaves_gaps():
    curve = Curve()
    curve.add(0.0, 1.0, 2.0)
    curve.add(50.0, math.inf, 2.0)
    curve.add(70.0, 3.0, 2.0)
    t, values = curve.since(70.0)
    assert t.tolist() == [-20.0, 0.0]
    assert np.isnan(values[0, 0])
    assert values[1].tolist() == [3.0, 2.0]


def test_a_broken_picture_says_what_is_wrong():
    from sensor_msgs.msg import Image

    picture = picture_of(Image(width=4, height=4, step=12, encoding="rgb8", data=[0] * 7), 1.0)
    assert picture.pixels is None
    assert "4 x 4" in picture.error


def test_problems_are_counted_taken_back_and_forgotten():
    def array(level, text):
        return DiagnosticArray(status=[DiagnosticStatus(level=level, name="learner", message=text)])

    problems = Problems()
    for _ in range(3):
        problems.add(array(DiagnosticStatus.WARN, "slow"), 1.0, lambda name: True)
    problems.add(array(DiagnosticStatus.ERROR, "disk"), 2.0, lambda name: True)
    problems.add(array(DiagnosticStatus.ERROR, "another robot's"), 2.0, lambda name: False)
    assert [(p.text, p.level, p.count) for p in problems.recent(3.0)] == [("disk", 2, 1), ("slow", 1, 3)]
    problems.add(array(DiagnosticStatus.OK, "slow"), 3.0, lambda name: True)
    assert [p.text for p in problems.recent(3.0)] == ["disk"]
    assert problems.recent(2.1 + PROBLEM_S) == []


def test_numbers_for_people():
    assert words.number(-0.001, 1) == "0.0"
    assert words.number(math.nan) == words.UNKNOWN
    assert words.share(0.855) == "86 %"
    assert words.duration(5.0) == "5.0 s"
    assert words.duration(300) == "5 min"
    assert words.duration(7300) == "2.0 h"
    assert words.count(12345) == "12 345"
    assert words.plural(1, "error") == "1 error"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"ros_domain_id": 300, "pid": 1}', '{"ros_domain_id": 3, "pid": 0}', '{"pid": 1}'],
)
def test_a_run_folder_that_says_nothing_useful(tmp_path, text):
    (tmp_path / "graph.json").write_text(text)
    assert running_graph(tmp_path) is None
    assert running_graph(tmp_path / "missing") is None


def test_a_killed_runner_leaves_no_running_graph(tmp_path):
    import subprocess

    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "graph.json").write_text(f'{{"ros_domain_id": 5, "pid": {ended.pid}}}')
    assert running_graph(tmp_path) is None
