# SPDX-License-Identifier: Apache-2.0
"""Where the actor is, and until when what it waits for has to come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, auto


class Stage(Enum):
    """Where the actor is."""

    WAITING = auto()  # for peers and for the first policy
    SWITCHING = auto()  # interventions off or on, before and after an evaluation in the middle of training
    PAUSED = auto()  # between two episodes, until a person lets it go on
    RESETTING = auto()
    RUNNING = auto()
    FLUSHING = auto()  # training is over: last transitions, last checkpoint


@dataclass
class Deadline:
    """A moment on the monotonic clock, and what to say when it passes."""

    at: float
    text: str

    @staticmethod
    def after(seconds: float, text: str) -> Deadline:
        """Deadline `seconds` from now."""
        return Deadline(time.monotonic() + seconds, text)
