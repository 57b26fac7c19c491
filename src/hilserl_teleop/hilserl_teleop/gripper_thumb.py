# SPDX-License-Identifier: Apache-2.0
"""A person's thumb on the gripper button: one press a change, and patience until it is carried out."""

from __future__ import annotations

PRESS_AGAIN_S = 1.5  # a press that had no effect for so long is repeated


class GripperThumb:
    """Level of one gripper button, which toggles the hand."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self.reset()

    def reset(self) -> None:
        """Nothing is under way."""
        self._wanted: bool | None = None
        self._since_s = 0.0

    def press(self, open_hand: bool | None, is_open: bool) -> bool:
        """Whether the button is down in this reading.

        Args:
            open_hand: wanted state, None: as it is.
            is_open: commanded state. A press may have to wait until the hand may change again; pressing in
                the meantime would take it back.
        """
        if open_hand is None or open_hand == is_open:
            # A press that still waits for the hand would come true later: a second one takes it back.
            waits = open_hand is not None and self._wanted is not None and self._wanted != is_open
            self.reset()
            return waits
        if open_hand == self._wanted and self._since_s < PRESS_AGAIN_S:
            self._since_s += self._period_s
            return False
        self._wanted, self._since_s = open_hand, self._period_s
        return True
