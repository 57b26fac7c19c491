# SPDX-License-Identifier: Apache-2.0
"""How processes are asked to end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How long processes get to end by themselves, in seconds.

    SIGINT first: the learner writes its checkpoint, the recorder closes its bag. Then SIGTERM, then SIGKILL.
    """

    interrupt_s: float = 15.0
    terminate_s: float = 5.0
    kill_s: float = 5.0
