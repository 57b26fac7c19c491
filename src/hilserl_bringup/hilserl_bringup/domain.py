# SPDX-License-Identifier: Apache-2.0
"""A ROS domain that no other run on this machine uses."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Domains 0 to 101 stay below Linux' ephemeral ports; 0 is everybody's default. The upper half is for tests,
# which draw theirs in another way (hilserl_ros.testing).
_DOMAINS = range(1, 51)
_LAST_DOMAIN = 232  # the last whose ports exist (DDSI-RTPS 9.6.1.1)


def chosen_domain() -> int | None:
    """The ROS_DOMAIN_ID that the user has set; None where it is not set.

    Raises:
        RuntimeError: it is no domain.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_DOMAIN):
        raise RuntimeError(f"ROS_DOMAIN_ID='{text}': must be a number from 0 to {_LAST_DOMAIN}; example: 42")
    return int(text)


@contextmanager
def own_domain() -> Iterator[int]:
    """Holds a domain number; a ROS_DOMAIN_ID that the user has set is taken as it is.

    A number of its own for each phase also keeps participants of an earlier phase, whose processes were
    killed and whose leases still run, out of the graph.

    Raises:
        RuntimeError: a ROS_DOMAIN_ID that is no domain, or every domain is in use.
    """
    chosen = chosen_domain()
    if chosen is not None:
        yield chosen
        return
    with _free_lock() as domain:
        yield domain


@contextmanager
def _free_lock() -> Iterator[int]:
    folder = Path(tempfile.gettempdir())
    for domain in random.SystemRandom().sample(_DOMAINS, len(_DOMAINS)):
        try:
            lock = open(folder / f"hilserl_domain_{domain}.lock", "w")  # noqa: SIM115  closed below
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (PermissionError, BlockingIOError):
            continue  # another user's, or in use
        with lock:
            yield domain
        return
    raise RuntimeError(
        f"all ROS domains are in use: no free {folder}/hilserl_domain_*.lock; example: end a run"
    )
