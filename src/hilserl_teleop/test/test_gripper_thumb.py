# SPDX-License-Identifier: Apache-2.0
import pytest

from hilserl_teleop.gripper_thumb import PRESS_AGAIN_S, GripperThumb


def test_one_press_a_change_even_while_the_hand_waits():
    thumb = GripperThumb(0.1)
    pressed = [thumb.press(False, is_open=True) for _ in range(10)]
    assert pressed == [True] + [False] * 9
    assert not thumb.press(False, is_open=False)  # it closed
    assert thumb.press(True, is_open=False)  # and shall open again


def test_nothing_wanted_or_already_so_presses_nothing():
    thumb = GripperThumb(0.1)
    assert not any(thumb.press(None, is_open) for is_open in (True, False))
    assert not any(thumb.press(is_open, is_open) for is_open in (True, False))


def test_a_change_of_mind_takes_back_a_press_that_still_waits():
    thumb = GripperThumb(0.1)
    assert thumb.press(True, is_open=False)  # the hand cannot open yet
    assert thumb.press(False, is_open=False)  # nor shall it any more: two presses are none
    assert not thumb.press(False, is_open=False)


def test_a_press_without_effect_is_repeated_after_a_while():
    thumb = GripperThumb(0.1)
    presses = [thumb.press(False, is_open=True) for _ in range(2 * round(PRESS_AGAIN_S / 0.1))]
    assert presses.index(True, 1) == pytest.approx(PRESS_AGAIN_S / 0.1, abs=1)
