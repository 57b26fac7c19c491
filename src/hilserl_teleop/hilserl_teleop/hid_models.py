# SPDX-License-Identifier: Apache-2.0
"""3Dconnexion models: USB ids and where each button is in report 3.

Ids and buttons as in spacenavd (src/dev.c) and PySpaceMouse (devices.toml). The models differ in how they
report motion too, but that shows in the reports themselves (hid_reports), so it needs no table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hilserl_task.device_spec import ButtonsSpec

LOGITECH, CONNEXION = 0x046D, 0x256F
REPORT_BITS = 48  # of the longest button report

# Name -> bit. The order gives the numbers. For two buttons and the Pro it is spacenavd's, so a number means
# the same through both drivers.
TWO_BUTTONS = {"left": 0, "right": 1}
PRO_BUTTONS = {
    "key_1": 12, "key_2": 13, "key_3": 14, "key_4": 15, "menu": 0, "fit": 1, "top": 2, "right": 4, "front": 5,
    "roll": 8, "lock": 26, "esc": 22, "alt": 23, "shift": 24, "ctrl": 25,
}  # fmt: skip
ENTERPRISE_BUTTONS = {
    "key_1": 12, "key_2": 13, "key_3": 14, "key_4": 15, "key_5": 16, "key_6": 17, "key_7": 18, "key_8": 19,
    "key_9": 20, "key_10": 21, "iso": 10, "roll": 8, "menu": 0, "fit": 1, "top": 2, "right": 4, "front": 5,
    "esc": 22, "alt": 23, "shift": 24, "ctrl": 25, "lock": 26, "enter": 35, "delete": 36,
}  # fmt: skip
EXPLORER_BUTTONS = {
    "key_1": 0, "key_2": 1, "top": 2, "left": 3, "right": 4, "front": 5, "esc": 6, "alt": 7, "shift": 8,
    "ctrl": 9, "fit": 10, "panel": 11, "plus": 12, "minus": 13, "2d": 14,
}  # fmt: skip
UNKNOWN_BUTTONS = {f"bit_{bit}": bit for bit in range(REPORT_BITS)}

# By the thumb on a two-button model, along the top of a larger one.
USUAL_TWO = ButtonsSpec(success="left", discard="right")
USUAL_KEYS = ButtonsSpec(success="key_1", discard="key_2", failure="key_3", gripper="key_4")
USUAL_EXPLORER = ButtonsSpec(success="key_1", discard="key_2", failure="esc", gripper="fit")
USUAL_UNKNOWN = ButtonsSpec(success=0, discard=1)


@dataclass(frozen=True)
class Model:
    """A model on one kind of connection.

    Attributes:
        name: the maker's.
        buttons: name -> bit of report 3.
        usual: the buttons' meaning where the task file gives none.
    """

    name: str
    buttons: Mapping[str, int]
    usual: ButtonsSpec

    def pressed(self, bits: int) -> frozenset[str]:
        """Name and number of every button that is down."""
        down = [(name, n) for n, (name, bit) in enumerate(self.buttons.items()) if bits >> bit & 1]
        return frozenset(text for name, number in down for text in (name, str(number)))

    @property
    def known(self) -> frozenset[str]:
        """All names and numbers."""
        return frozenset(self.buttons) | {str(number) for number in range(len(self.buttons))}


UNKNOWN = Model("unknown 6-axis device", UNKNOWN_BUTTONS, USUAL_UNKNOWN)

MODELS: dict[tuple[int, int], Model] = {
    (LOGITECH, 0xC626): Model("SpaceNavigator", TWO_BUTTONS, USUAL_TWO),
    (LOGITECH, 0xC627): Model("SpaceExplorer", EXPLORER_BUTTONS, USUAL_EXPLORER),
    (LOGITECH, 0xC628): Model("SpaceNavigator for Notebooks", TWO_BUTTONS, USUAL_TWO),
    (LOGITECH, 0xC629): Model("SpacePilot Pro", UNKNOWN_BUTTONS, USUAL_UNKNOWN),
    (LOGITECH, 0xC62B): Model("SpaceMouse Pro", PRO_BUTTONS, USUAL_KEYS),
    (CONNEXION, 0xC62E): Model("SpaceMouse Wireless, cable", TWO_BUTTONS, USUAL_TWO),
    (CONNEXION, 0xC62F): Model("SpaceMouse Wireless, receiver", TWO_BUTTONS, USUAL_TWO),
    (CONNEXION, 0xC631): Model("SpaceMouse Pro Wireless, cable", PRO_BUTTONS, USUAL_KEYS),
    (CONNEXION, 0xC632): Model("SpaceMouse Pro Wireless, receiver", PRO_BUTTONS, USUAL_KEYS),
    (CONNEXION, 0xC633): Model("SpaceMouse Enterprise", ENTERPRISE_BUTTONS, USUAL_KEYS),
    (CONNEXION, 0xC635): Model("SpaceMouse Compact", TWO_BUTTONS, USUAL_TWO),
    (CONNEXION, 0xC636): Model("SpaceMouse Module", UNKNOWN_BUTTONS, USUAL_UNKNOWN),
    (CONNEXION, 0xC638): Model("SpaceMouse Pro Wireless, Bluetooth edition", PRO_BUTTONS, USUAL_KEYS),
    (CONNEXION, 0xC63A): Model("SpaceMouse Wireless, Bluetooth edition", TWO_BUTTONS, USUAL_TWO),
    # Whatever is paired with it: a two-button model has the first two bits.
    (CONNEXION, 0xC652): Model("Universal Receiver", UNKNOWN_BUTTONS, USUAL_UNKNOWN),
}


def model_of(vendor: int, product: int) -> Model:
    """The model with these USB ids, or UNKNOWN: then buttons are known by their bit."""
    return MODELS.get((vendor, product), UNKNOWN)
