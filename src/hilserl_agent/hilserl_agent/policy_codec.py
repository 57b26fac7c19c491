# SPDX-License-Identifier: Apache-2.0
"""Policies on the wire: safetensors bytes in checksummed chunks, put together and checked on arrival."""

from __future__ import annotations

import array
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from hilserl_msgs.msg import PolicyWeights

CHUNK_BYTES = 1_000_000  # one middleware message stays small enough for default socket buffers


class PolicyRejected(ValueError):
    """A policy that must not be used; the text says why. The last good one stays in use."""


@dataclass(frozen=True)
class ReceivedPolicy:
    """A complete and checked policy: safetensors bytes and their version."""

    version: int
    gradient_steps: int
    blob: bytes


def encode_policy(
    blob: bytes, version: int, gradient_steps: int, config_hash: str, chunk_bytes: int = CHUNK_BYTES
) -> list[PolicyWeights]:
    """Splits safetensors bytes into messages of at most `chunk_bytes`, at least one.

    Raises:
        ValueError: empty blob, or version 0 (which stands for 'no policy').
    """
    if not blob or version < 1:
        raise ValueError(
            f"policy: {len(blob)} bytes, version {version}; must be at least 1 byte and version 1"
        )
    digest = hashlib.sha256(blob).hexdigest()
    parts = [blob[start : start + chunk_bytes] for start in range(0, len(blob), chunk_bytes)]
    return [
        PolicyWeights(
            version=version,
            gradient_steps=gradient_steps,
            config_hash=config_hash,
            sha256=digest,
            chunk_index=index,
            chunk_count=len(parts),
            data=array.array("B", part),
        )
        for index, part in enumerate(parts)
    ]


class PolicyAssembler:
    """Collects chunks of one policy at a time; only newer versions of the same task get through.

    Args:
        config_hash: of the task; other policies are refused.
        on_incomplete: called with a text when chunks of a policy never came and a newer one takes its place.
    """

    def __init__(self, config_hash: str, on_incomplete: Callable[[str], None] | None = None) -> None:
        self.on_incomplete = on_incomplete or (lambda _: None)
        self.config_hash = config_hash
        self.version = 0
        self._collecting = self._count = 0
        self._chunks: dict[int, bytes] = {}

    def add(self, message: PolicyWeights) -> ReceivedPolicy | None:
        """Takes one chunk; returns the policy when it is complete.

        Raises:
            PolicyRejected: foreign task, older version, malformed or corrupt.
        """
        if not self._is_news(message):
            return None
        self._check(message)
        if message.version != self._collecting:
            self._give_up_collecting(message.version)
        self._count = int(message.chunk_count)
        self._chunks[message.chunk_index] = bytes(message.data)
        if len(self._chunks) < message.chunk_count:
            return None
        return self._complete(message)

    def _is_news(self, message: PolicyWeights) -> bool:
        """False for a latched repetition of what is already in use."""
        return message.version != self.version or message.config_hash != self.config_hash

    def _check(self, message: PolicyWeights) -> None:
        if message.config_hash != self.config_hash:
            raise PolicyRejected(
                f"policy {message.version} belongs to task configuration {message.config_hash}, this is "
                f"{self.config_hash}; start actor and learner with the same task and overrides"
            )
        if message.version < max(self.version, self._collecting):
            newest = max(self.version, self._collecting)
            raise PolicyRejected(f"policy {message.version} is older than {newest}, which is known here")
        if message.chunk_index >= message.chunk_count or not message.data:
            raise PolicyRejected(
                f"policy {message.version}: chunk {message.chunk_index} of {message.chunk_count} with "
                f"{len(message.data)} bytes is malformed; indices run from 0 to count - 1"
            )

    def _give_up_collecting(self, version: int) -> None:
        if self._chunks:
            self.on_incomplete(
                f"policy {self._collecting} is incomplete, {len(self._chunks)} of {self._count} chunks came; "
                f"policy {version} takes its place"
            )
        self._collecting, self._chunks = version, {}

    def _complete(self, message: PolicyWeights) -> ReceivedPolicy:
        blob = b"".join(self._chunks[index] for index in sorted(self._chunks))
        self._collecting, self._chunks = 0, {}
        if hashlib.sha256(blob).hexdigest() != message.sha256:
            raise PolicyRejected(
                f"policy {message.version} is corrupt: sha256 differs over {len(blob)} bytes"
            )
        self.version = message.version
        return ReceivedPolicy(message.version, message.gradient_steps, blob)
