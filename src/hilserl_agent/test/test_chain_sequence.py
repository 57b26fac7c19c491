# SPDX-License-Identifier: Apache-2.0
"""What a chain does next, and where its scripted motions put the arms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hilserl_agent.chain.motion import PATIENCE_S, SETTLE_S, MotionFailed, MotionPlayer
from hilserl_agent.chain.sequence import FAULT, OPERATOR, SUCCESS, TIMEOUT, Attempt, Move, Over, Sequence
from hilserl_agent.chain.summary import summarize, summary_lines
from hilserl_task.chain_spec import ChainSpec, MotionSpec


def wait(seconds):
    return {"wait": {"seconds": seconds}}


CHAIN = ChainSpec.model_validate(
    {
        "name": "two",
        "skills": [
            {"name": "a", "task": "t", "approach": [wait(1)], "retreat": [wait(2)], "recover": [wait(3)]},
            {"name": "b", "task": "t", "approach": [wait(4)], "recover": [wait(5)], "attempts": 3},
        ],
    }
)


def attempt(reason, steps=10):
    return Attempt(reason, steps, 0.1 * steps)


def played(*reasons):
    """Directives of a run whose attempts end like this: seconds waited, or (skill, attempt), or the end."""
    sequence, seen, left = Sequence(CHAIN), [], list(reasons)
    due = sequence.now
    while not isinstance(due, Over):
        if isinstance(due, Move):
            seen.append(tuple(motion.wait.seconds for motion in due.motions))
            due = sequence.moved()
        else:
            seen.append(f"{'ab'[due.skill]}{due.attempt}")
            due = sequence.acted(attempt(left.pop(0)))
    return sequence, seen, due


def test_one_skill_after_the_other():
    sequence, seen, over = played(SUCCESS, SUCCESS)
    assert seen == [(1,), "a1", (2, 4), "b1", ()]
    assert over.success
    assert [(r.attempts, r.success, r.reason) for r in sequence.records] == [(1, True, SUCCESS)] * 2
    assert sequence.finished == 2


def test_a_failed_attempt_is_recovered_from_and_approached_again():
    sequence, seen, over = played(TIMEOUT, SUCCESS, OPERATOR, TIMEOUT, SUCCESS)
    assert seen == [(1,), "a1", (3, 1), "a2", (2, 4), "b1", (5, 4), "b2", (5, 4), "b3", ()]
    assert over.success
    assert [(r.attempts, r.steps) for r in sequence.records] == [(2, 20), (3, 30)]
    assert sequence.records[0].duration_s == pytest.approx(2.0)


def test_after_the_last_attempt_the_chain_has_failed():
    sequence, seen, over = played(TIMEOUT, OPERATOR)
    assert seen == [(1,), "a1", (3, 1), "a2"]
    assert not over.success
    assert over.message == "skill 'a' failed in 2 attempts, last by operator"
    assert [(r.attempts, r.success, r.reason) for r in sequence.records] == [
        (2, False, OPERATOR),
        (0, False, ""),
    ]
    assert sequence.finished == 1


def test_a_fault_leaves_no_further_attempt():
    sequence, seen, over = played(FAULT)
    assert seen == [(1,), "a1"]
    assert not over.success
    assert sequence.records[0].reason == FAULT


def test_what_fails_between_skills_keeps_what_was_done():
    sequence = Sequence(CHAIN)
    sequence.moved()
    sequence.acted(attempt(SUCCESS))
    assert isinstance(sequence.now, Move)
    assert sequence.failed("blocked") == Over(False, "blocked")
    assert [r.success for r in sequence.records] == [True, False]
    assert sequence.now == Over(False, "blocked")
    assert sequence.finished == 1


def test_a_chain_that_never_began_has_no_skill_behind_it():
    sequence = Sequence(CHAIN)
    assert sequence.failed("reset failed") == Over(False, "reset failed")
    assert sequence.finished == 0


# -- motions ------------------------------------------------------------------------------------------

DOWN = np.diag([1.0, -1.0, -1.0, 1.0])


def at(x, y, z):
    pose = DOWN.copy()
    pose[:3, 3] = x, y, z
    return pose


class Arm:
    """Follows every target at once, unless it is blocked."""

    def __init__(self, task, motions, grippers=None, seed=0):
        self.poses, self.now, self.blocked = {"arm": at(0.5, 0.0, 0.1)}, 100.0, False
        arms = {arm.name: arm for arm in task.arms}
        specs = [MotionSpec.model_validate(motion) for motion in motions]
        rng = np.random.default_rng(seed)
        self.player = MotionPlayer(specs, arms, self.poses, grippers or {}, self.now, rng)
        self.way = []

    def run(self, period=0.1, limit_s=60.0):
        began = self.now
        while not self.player.done:
            assert self.now - began < limit_s
            target = self.player.targets(self.now + period)["arm"]
            self.now += period
            if not self.blocked:
                self.poses = {"arm": target}
            self.way.append(target)
            self.player.play(self.poses, self.now)
        return self.poses["arm"], self.now - began


def test_relative_motions_go_along_the_axes_asked_for(task):
    end, _ = Arm(task, [{"move": {"by_m": [0.01, 0.02, 0.05]}}]).run()
    np.testing.assert_allclose(end[:3, 3], [0.51, 0.02, 0.15], atol=1e-9)
    end, _ = Arm(task, [{"move": {"by_m": [0.01, 0.02, 0.05], "axes": "tcp"}}]).run()
    np.testing.assert_allclose(end[:3, 3], [0.51, -0.02, 0.05], atol=1e-9)
    end, _ = Arm(task, [{"move": {"by_rad": [0.0, 0.0, 0.4]}}]).run()
    np.testing.assert_allclose(
        Rotation.from_matrix(end[:3, :3] @ DOWN[:3, :3].T).as_rotvec(), [0, 0, 0.4], atol=1e-9
    )


def test_the_way_keeps_to_its_speed(task):
    arm = Arm(task, [{"move": {"by_m": [0.1, 0.0, 0.1], "max_linear_speed": 0.05}}])
    _, took = arm.run(period=0.02)
    steps = np.linalg.norm(np.diff([pose[:3, 3] for pose in arm.way], axis=0), axis=1)
    assert steps.max() <= 0.05 * 0.02 * 1.001
    assert took >= 1.875 * np.hypot(0.1, 0.1) / 0.05 + SETTLE_S


def test_an_absolute_goal_is_drawn_within_its_range_and_repeatable(task):
    to = {"position_m": [0.45, 0.05, 0.2], "rotation_rad": [np.pi, 0.0, 0.0]}
    move = {"move": {"to": to, "translation_range_m": [0.02, 0.01, 0.0], "yaw_range_rad": 0.2}}
    ends = np.array([Arm(task, [move], seed=seed).run()[0] for seed in range(30)])
    off = ends[:, :3, 3] - to["position_m"]
    assert (np.abs(off) <= [0.02 + 1e-9, 0.01 + 1e-9, 1e-9]).all()
    assert np.abs(off[:, 0]).max() > 0.01
    yaws = [Rotation.from_matrix(end[:3, :3] @ DOWN[:3, :3].T).as_rotvec()[2] for end in ends]
    assert 0.1 < np.abs(yaws).max() <= 0.2
    np.testing.assert_array_equal(Arm(task, [move], seed=3).run()[0], ends[3])


def test_relative_motions_end_at_the_workspace(task):
    end, _ = Arm(task, [{"move": {"by_m": [0.0, 0.0, 0.9]}}]).run()
    assert end[2, 3] == pytest.approx(task.arms[0].controller.workspace.maximum_m[2])


def test_grippers_and_waits_take_their_time_while_the_arm_stays(task):
    motions = [{"gripper": {"position": 1.0, "settle_s": 0.5}}, {"wait": {"seconds": 1.0}}]
    arm = Arm(task, motions, grippers={"arm": 0.0})
    assert arm.player.grippers == {"arm": 1.0}
    end, took = arm.run(period=0.05)
    assert took == pytest.approx(1.5, abs=0.11)
    np.testing.assert_array_equal(end, at(0.5, 0.0, 0.1))


def test_a_blocked_arm_is_told_of(task):
    arm = Arm(task, [{"move": {"by_m": [0.0, 0.0, 0.05]}}])
    arm.blocked = True
    with pytest.raises(MotionFailed, match=r"arm .arm. is 50 mm and 0\.0 degrees from its goal"):
        arm.run(limit_s=PATIENCE_S + 10)


def test_no_motions_are_done_at_once(task):
    assert Arm(task, []).player.done


# -- summary ------------------------------------------------------------------------------------------


def row(success, first, second, truth=None):
    def skill(name, attempts, good):
        reason = (SUCCESS if good else TIMEOUT) if attempts else ""
        taken = {"attempts": attempts, "success": good, "steps": 20 * attempts, "duration_s": 2.0 * attempts}
        return {"name": name, "truth": good if attempts else None, "reason": reason, **taken}

    message = "" if success else "skill failed"
    skills = [skill("a", *first), skill("b", *second)]
    whole = {"success": success, "truth_success": success if truth is None else truth, "duration_s": 9.0}
    return {**whole, "message": message, "skills": skills}


def test_summary_counts_skills_that_were_reached():
    rows = [
        row(True, (1, True), (2, True)),
        row(False, (2, False), (0, False)),
        row(True, (1, True), (1, True), False),
    ]
    summary = summarize("two", ["a", "b"], rows)
    assert (summary["chains"], summary["successes"]) == (3, 2)
    assert summary["truth"] == pytest.approx(1 / 3)
    assert summary["skills"]["a"]["attempts_used"] == {1: 2, 2: 1}
    assert (summary["skills"]["b"]["chains"], summary["skills"]["b"]["first_attempt_successes"]) == (2, 1)
    assert summary["failures"] == {"skill failed": 1}
    low, high = summary["success_interval_95"]
    assert 0 < low < 2 / 3 < high < 1
    assert summary_lines(summary)[0].startswith("two: 2 of 3 chains succeeded (67%")


def test_summary_of_nothing():
    assert summary_lines(summarize("two", ["a", "b"], [])) == ["two: no chain was run to its end"]
