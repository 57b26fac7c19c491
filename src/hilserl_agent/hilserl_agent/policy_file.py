# SPDX-License-Identifier: Apache-2.0
"""The newest policy on disk: `run_dir/policy/policy.safetensors` and what it is, `policy.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hilserl_agent.policy_codec import PolicyRejected, ReceivedPolicy

POLICY_FILE = Path("policy") / "policy.safetensors"


def write_policy_file(path: Path, policy: ReceivedPolicy, config_hash: str) -> None:
    """Writes weights and what they are (`.json`), each atomically, weights first.

    Raises:
        OSError: disk full or not writable; the old files stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, policy.blob)
    about = {
        "version": policy.version,
        "gradient_steps": policy.gradient_steps,
        "config_hash": config_hash,
    }
    _replace(path.with_suffix(".json"), json.dumps(about, indent=1).encode())


def read_policy_file(path: Path, config_hash: str) -> ReceivedPolicy:
    """Policy of a file, if it belongs to this task configuration.

    Raises:
        PolicyRejected: missing, damaged or foreign; the text says which and what to do.
    """
    try:
        blob = path.read_bytes()
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        version, steps, found = int(about["version"]), int(about["gradient_steps"]), str(about["config_hash"])
    except FileNotFoundError as error:
        raise PolicyRejected(f"policy {path}: {error.filename} does not exist; train first") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PolicyRejected(f"policy {path}: not readable: {error}; train again") from error
    if found != config_hash:
        raise PolicyRejected(
            f"policy {path} belongs to task configuration {found}, this is {config_hash}; use the task and "
            "overrides it was trained with"
        )
    return ReceivedPolicy(version, steps, blob)


def newest_version(path: Path) -> int:
    """Version of the policy file, 0 when there is none or it is damaged."""
    try:
        return int(json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
