# SPDX-License-Identifier: Apache-2.0
"""The simulated person's hand: a wanted wrench arrives as that wrench, whatever axes it is given in."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hilserl_task import load_task
from hilserl_task.action_codec import arm_target, values_from_stick
from hilserl_teleop.hand import Hand

PERIOD_S = 0.1
SCALES = "type: wrench, force_scale_n: {x: 13.0, z: 12.0}, torque_scale_nm: {y: 3.5}"
WANTED = np.array([-6.5, 0.0, 9.0, 0.0, 1.75, 0.0])


def pushed(frame, wanted, steps=12, noise=0.0, gain=0.8, speed=0.8):
    """(6,) wrench that the mux makes of what the hand does after some steps, and the task's."""
    task = load_task("ram_insertion", [f"arms.0.action={{{SCALES}, frame: {frame}}}"])
    arm, base_T_tcp = task.arms[0], np.eye(4)
    base_T_tcp[:3, :3] = Rotation.from_euler("xyz", [np.pi, 0.3, 0.7]).as_matrix()
    base_T_tcp[:3, 3] = 0.5, 0.0, 0.2
    hand = Hand(arm.action, noise, PERIOD_S, np.random.default_rng(1))
    for _ in range(steps):
        stick = hand.push(wanted, base_T_tcp[:3, :3], gain, speed)
    return arm_target(base_T_tcp, values_from_stick(task, arm, base_T_tcp, stick), arm).wrench


@pytest.mark.parametrize("frame", ["base", "tcp"])
def test_a_wanted_wrench_is_what_acts(frame):
    np.testing.assert_allclose(pushed(frame, WANTED), WANTED, atol=1e-6)


def test_a_person_pushes_as_hard_as_the_stick_goes_and_no_harder():
    """Neither gain nor speed of a movement weaken a push."""
    np.testing.assert_allclose(pushed("base", 3 * WANTED)[[0, 2, 4]], [-13.0, 12.0, 3.5], atol=1e-5)


def test_axes_that_nobody_commands_do_not_weaken_the_others():
    wanted = WANTED + [0, 50.0, 0, 9.0, 0, 9.0]
    np.testing.assert_allclose(pushed("base", wanted), WANTED, atol=1e-6)


def test_the_hand_needs_its_time_and_is_not_exact():
    assert 0.5 < pushed("base", WANTED, steps=1)[2] / WANTED[2] < 0.95
    noisy = pushed("base", WANTED, noise=0.15)
    assert 0.01 < np.abs(noisy - WANTED).max() < 6.0
