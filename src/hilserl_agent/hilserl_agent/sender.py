# SPDX-License-Identifier: Apache-2.0
"""Who sends transitions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sender:
    """Names under which transitions arrive.

    Attributes:
        actor_id: whose they are, namespace included; the learner counts under this name.
        session: random, one a process.
        outbox_id: random, one an outbox on disk: numbers of one outbox belong together, also over restarts.
    """

    actor_id: str
    session: str
    outbox_id: str
