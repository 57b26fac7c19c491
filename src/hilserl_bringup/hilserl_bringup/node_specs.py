# SPDX-License-Identifier: Apache-2.0
"""Which processes make up a phase of a task: what `ros2 launch` and the process runner both start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hilserl_task import Task, TaskError

ParameterValue = bool | int | float | str | list[str]


@dataclass(frozen=True)
class NodeSpec:
    """One process of a phase.

    Attributes:
        package, executable: found as `lib/<package>/<executable>` of an installed prefix.
        name: ROS node name, and the name of the log file.
        namespace: ROS namespace, `/` for the root.
        parameters: ROS parameters, or for an offline step its command-line options.
        main: the phase is over when this process ends. Exactly one in a phase.
        terminal: writes to the terminal instead of a log file.
        respawn: keeps what it has on disk, so it is started again when a signal has ended it.
        offline: no ROS node: takes `--task --run-dir --seed --set`, runs to completion.
        remappings: names of topics, as the node says them, to what they are in the graph.
    """

    package: str
    executable: str
    name: str
    namespace: str = "/"
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    main: bool = False
    terminal: bool = False
    offline: bool = False
    respawn: bool = False
    remappings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunContext:
    """What every process of a run is told.

    Attributes:
        task: name or path, as `hilserl_task.load_task` takes it.
        overrides: strings `section.key=value` on top of the task file.
        run_dir: where everything of the run is kept.
        seed: of all randomness in the run.
    """

    task: str
    run_dir: Path
    seed: int = 0
    overrides: tuple[str, ...] = ()

    def parameters(self) -> dict[str, ParameterValue]:
        """ROS parameters common to all nodes. An empty list has no type in ROS, so it is left out."""
        common: dict[str, ParameterValue] = {
            "task": self.task,
            "run_dir": str(self.run_dir.absolute()),
            "seed": self.seed,
        }
        if self.overrides:
            common["overrides"] = list(self.overrides)
        return common


def graph_specs(task: Task, phase: str, context: RunContext) -> list[NodeSpec]:
    """All processes of `phase`, in the order of their start.

    Raises:
        TaskError: `phase` is unknown, or the task cannot be run in it.
    """
    if phase not in _PHASES:
        raise TaskError(f"phase: '{phase}' is unknown, must be one of {', '.join(_PHASES)}; example: train")
    return _PHASES[phase](task, context)


def phase_names() -> tuple[str, ...]:
    """All phases, in the order in which a run goes through them."""
    return tuple(_PHASES)


def _labels(task: Task, context: RunContext) -> list[NodeSpec]:
    return [
        *robot_side(task, context, "labels", operator=True),
        node_spec(context, "hilserl_agent", "actor", phase="teleop", use_reward=False),
        node_spec(context, "hilserl_agent", "monitor", terminal=True, phase="labels"),
        node_spec(context, "hilserl_reward", "collect_labels", main=True),
    ]


def _demos(task: Task, context: RunContext) -> list[NodeSpec]:
    target = task.learner.demonstration_count
    judged = task.demonstrations.needs_classifier
    return [
        *robot_side(task, context, "demos", operator=True),
        *(_reward(task, context) if judged else []),
        node_spec(context, "hilserl_agent", "actor", phase="teleop"),
        node_spec(context, "hilserl_agent", "monitor", terminal=True, phase="demos"),
        node_spec(context, "hilserl_recorder", "recorder", main=True, target=target),
    ]


def _train(task: Task, context: RunContext) -> list[NodeSpec]:
    return [
        *robot_side(task, context, "train", operator=task.operator.interventions),
        *_reward(task, context),
        *_label_keeper(task, context),
        node_spec(context, "hilserl_agent", "learner", respawn=True),
        node_spec(context, "hilserl_intervention", "coach"),
        node_spec(context, "hilserl_agent", "monitor", terminal=True, phase="train"),
        node_spec(context, "hilserl_agent", "actor", main=True, respawn=True, phase="train"),
    ]


def _evaluate(task: Task, context: RunContext) -> list[NodeSpec]:
    return [
        *robot_side(task, context, "evaluate", operator=False),
        *_reward(task, context),
        node_spec(context, "hilserl_agent", "monitor", terminal=True, phase="evaluate"),
        node_spec(context, "hilserl_agent", "actor", main=True, phase="evaluate"),
    ]


def _classifier(_: Task, context: RunContext) -> list[NodeSpec]:
    return [_offline(context, "hilserl_reward", "train_classifier")]


def _perception(_: Task, context: RunContext) -> list[NodeSpec]:
    return [_offline(context, "hilserl_agent", "fit_perception")]


def _report(_: Task, context: RunContext) -> list[NodeSpec]:
    return [_offline(context, "hilserl_agent", "report")]


_PHASES: dict[str, Callable[[Task, RunContext], list[NodeSpec]]] = {
    "labels": _labels,
    "classifier": _classifier,
    "demos": _demos,
    "perception": _perception,
    "train": _train,
    "evaluate": _evaluate,
    "report": _report,
}


def robot_side(task: Task, context: RunContext, phase: str, operator: bool) -> list[NodeSpec]:
    """Robot or simulation, observation and mux, and who steers: the simulated person, or devices."""
    if task.scene is not None:
        specs = [node_spec(context, "hilserl_sim", "sim")]
    else:
        specs = [*_cameras(task, context), node_spec(context, "hilserl_intervention", "reset")]
    specs += [
        node_spec(context, "hilserl_observation", "observation"),
        node_spec(context, "hilserl_intervention", "intervention_mux", operator_enabled=operator),
    ]
    if operator and task.operator.kind == "scripted":
        specs.append(node_spec(context, "hilserl_teleop", "scripted_operator", phase=phase))
    elif operator or _needs_buttons(task):
        specs += _devices(task, context)
    return specs


def _needs_buttons(task: Task) -> bool:
    """Also in an evaluation: the person pays, or says when a robot is reset."""
    return task.reward.source == "human" or (task.scene is None and task.reset.waits_for_person)


def _cameras(task: Task, context: RunContext) -> list[NodeSpec]:
    """One process for all RealSense cameras, one a V4L2 camera; `external` ones are started elsewhere."""
    drivers = [camera.driver for camera in task.cameras]
    specs = [node_spec(context, "hilserl_cameras", "realsense")] if "realsense" in drivers else []
    for camera in task.cameras:
        if camera.driver == "v4l2":
            spec = node_spec(context, "hilserl_cameras", "v4l2", camera=camera.name)
            specs.append(replace(spec, name=f"v4l2_{camera.name}"))
    return specs


def _reward(task: Task, context: RunContext) -> list[NodeSpec]:
    """The classifier; none where the person pays alone."""
    return [] if task.reward.source == "human" else [node_spec(context, "hilserl_reward", "reward")]


def _label_keeper(task: Task, context: RunContext) -> list[NodeSpec]:
    """Where a person alone pays, there is no classifier that would learn from corrections."""
    if task.reward.source == "human":
        return []
    return [node_spec(context, "hilserl_reward", "label_keeper", respawn=True)]


def _devices(task: Task, context: RunContext) -> list[NodeSpec]:
    """One driver a device of the task; `external` ones are started elsewhere.

    Raises:
        TaskError: a keyboard, but no terminal to read it from.
    """
    specs = []
    for index, device in enumerate(task.operator.devices):
        if device.driver == "external":
            continue
        if device.driver == "keyboard":
            spec = node_spec(context, "hilserl_teleop", "keyboard", device=index, tty=_terminal())
        else:
            spec = node_spec(context, "hilserl_teleop", device.driver, device=index)
        specs.append(replace(spec, name=f"{device.driver}_{device.arm}" if device.arm else device.driver))
    return specs


def _terminal() -> str:
    """Device file of this process's terminal: a child in a session of its own has none."""
    try:
        return os.ttyname(0)
    except OSError:
        raise TaskError(
            "operator.devices: driver: keyboard needs a terminal, and standard input is none; start in a "
            "terminal, or use driver: external and `ros2 run hilserl_teleop keyboard` in another one"
        ) from None


def node_spec(
    context: RunContext,
    package: str,
    executable: str,
    *,
    main: bool = False,
    terminal: bool = False,
    respawn: bool = False,
    **parameters: ParameterValue,
) -> NodeSpec:
    """A node of this executable, with the parameters of the run and its own."""
    merged = {**context.parameters(), **parameters}
    return NodeSpec(
        package,
        executable,
        executable,
        parameters=merged,
        main=main,
        terminal=terminal,
        respawn=respawn,
    )


def _offline(context: RunContext, package: str, executable: str) -> NodeSpec:
    return NodeSpec(
        package,
        executable,
        executable,
        parameters=context.parameters(),
        main=True,
        terminal=True,
        offline=True,
    )
