# SPDX-License-Identifier: Apache-2.0
"""A node spec as a command line, and as the keyword arguments of the launch actions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from hilserl_bringup.node_specs import NodeSpec
from hilserl_bringup.patience import Patience
from hilserl_bringup.respawn import FIRST_DELAY_S


class ExecutableNotFound(RuntimeError):
    """An executable is not installed in any prefix."""


def find_executable(package: str, executable: str) -> Path:
    """Path of `lib/<package>/<executable>` in the first prefix of AMENT_PREFIX_PATH that has it.

    Raises:
        ExecutableNotFound: the text says what to build.
    """
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    for prefix in prefixes:
        path = Path(prefix, "lib", package, executable)
        if os.access(path, os.X_OK):
            return path
    raise ExecutableNotFound(
        f"{package}/{executable}: not found in AMENT_PREFIX_PATH; "
        "build it with `make build` and `source scripts/env.sh`"
    )


def offline_arguments(spec: NodeSpec) -> list[str]:
    """Command-line options of an offline step: `--task T --run-dir D --seed N --set a.b=c ...`."""
    arguments = []
    for option, key in (("--task", "task"), ("--run-dir", "run_dir"), ("--seed", "seed")):
        arguments += [option, str(spec.parameters[key])]
    overrides = spec.parameters.get("overrides", [])
    assert isinstance(overrides, list)
    for override in overrides:
        arguments += ["--set", override]
    return arguments


def ros_arguments(spec: NodeSpec, parameters_file: Path) -> list[str]:
    """Command-line options of a node: its name, namespace, remapped topics and parameter file."""
    names = ["-r", f"__node:={spec.name}", "-r", f"__ns:={spec.namespace}"]
    for before, after in spec.remappings.items():
        names += ["-r", f"{before}:={after}"]
    return ["--ros-args", *names, "--params-file", str(parameters_file)]


def write_parameters(spec: NodeSpec, path: Path) -> None:
    """Writes a ROS parameter file. A file, not `-p`, because strings and lists then need no quoting."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(spec.parameters)}}), encoding="utf-8")


def command(spec: NodeSpec, parameters_folder: Path) -> list[str]:
    """The whole command line of a spec; writes the parameter file `<name>.yaml` of a node.

    Raises:
        ExecutableNotFound: the executable is not installed.
    """
    executable = str(find_executable(spec.package, spec.executable))
    if spec.offline:
        return [executable, *offline_arguments(spec)]
    parameters_file = parameters_folder / f"{spec.name}.yaml"
    write_parameters(spec, parameters_file)
    return [executable, *ros_arguments(spec, parameters_file)]


def launch_kwargs(spec: NodeSpec) -> dict[str, Any]:
    """Keyword arguments of `launch_ros.actions.Node` (a node) or `launch.actions.ExecuteProcess` (offline).

    Raises:
        ExecutableNotFound: an offline step is not installed; launch_ros looks for nodes itself.
    """
    patience = Patience()
    common: dict[str, Any] = {
        "name": spec.name,
        "output": "screen" if spec.terminal else "log",
        "sigterm_timeout": str(patience.interrupt_s),
        "sigkill_timeout": str(patience.terminate_s),
    }
    if spec.respawn:
        # No limit here: launch would count over the whole run and then go on without the process. The launch
        # file ends the phase when `Respawns` says so.
        common |= {"respawn": True, "respawn_delay": FIRST_DELAY_S}
    if spec.offline:
        executable = str(find_executable(spec.package, spec.executable))
        return {"cmd": [executable, *offline_arguments(spec)], **common}
    return {
        "package": spec.package,
        "executable": spec.executable,
        "namespace": spec.namespace,
        "parameters": [dict(spec.parameters)],
        **({"remappings": list(spec.remappings.items())} if spec.remappings else {}),
        **common,
    }
