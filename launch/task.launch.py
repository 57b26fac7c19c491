# SPDX-License-Identifier: Apache-2.0
"""One phase of a task: `ros2 launch hilserl_bringup task.launch.py task:=ram_insertion`.

The processes are those of the plain process runner: both come from hilserl_bringup.node_specs.
"""

from datetime import datetime
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hilserl_bringup.commands import launch_kwargs
from hilserl_bringup.evaluate import with_parameters
from hilserl_bringup.node_specs import NodeSpec, RunContext, graph_specs
from hilserl_bringup.respawn import Respawns
from hilserl_bringup.run_folder import TASK_FILE, seed_of_run, task_of_run, write_task
from hilserl_task import load_task

DEFAULT_TASK = "ram_insertion"
ARGUMENTS = (
    ("task", "", f"name in config/tasks, or path of a task file (default: of run_dir, else {DEFAULT_TASK})"),
    ("phase", "train", "labels, classifier, demos, perception, train, evaluate or report"),
    ("run_dir", "", "run folder, new or of an earlier run (default: runs/<task>-<date>)"),
    ("seed", "", "of all randomness (default: of run_dir, else 0)"),
    ("pacing", "", "lockstep or realtime (default: of the task)"),
    ("trials", "", "phase evaluate: number of trials (default: of the task)"),
    ("checkpoint", "", "phase evaluate: best, latest or a name (default: the newest policy)"),
    ("deterministic", "", "phase evaluate: true or false (default: of the task)"),
    ("results", "", "phase evaluate: folder for trials.jsonl and videos (default: in run_dir)"),
    ("overrides", "", "changes to the task: 'a.b=c d.e=f'"),
)


def generate_launch_description() -> LaunchDescription:
    """Arguments, and the processes that follow from them."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_actions)])


def _actions(context: LaunchContext) -> list:
    values = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    overrides = tuple(values["overrides"].split())
    if values["pacing"]:
        overrides = (f"pacing={values['pacing']}", *overrides)
    overrides = (*_evaluation_overrides(values), *overrides)
    earlier = Path(values["run_dir"]) if values["run_dir"] else None
    name = values["task"] or (task_of_run(earlier) if earlier else "") or DEFAULT_TASK
    task = load_task(name, overrides)
    run_dir = (earlier or Path(f"runs/{task.name}-{datetime.now():%Y%m%d-%H%M%S}")).absolute()
    seed = int(values["seed"] or seed_of_run(run_dir))
    specs = graph_specs(task, values["phase"], RunContext(name, run_dir, seed, overrides))
    if values["results"]:
        results = str(Path(values["results"]).absolute())
        specs = with_parameters(specs, "monitor", results=results)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not (run_dir / TASK_FILE).exists():
        write_task(run_dir, task)
    return [_action(spec) for spec in specs]


def _evaluation_overrides(values: dict[str, str]) -> tuple[str, ...]:
    """What the launch arguments of an evaluation change in the task."""
    keys = {"trials": "episodes", "checkpoint": "checkpoint", "deterministic": "deterministic"}
    return tuple(f"evaluation.{key}={values[name]}" for name, key in keys.items() if values[name])


def _action(spec: NodeSpec) -> ExecuteProcess:
    """Every process is needed: the end of any ends the phase, unless it is started again."""
    reason = f"{spec.name} ended" + ("" if spec.main else " while it was needed")
    end = EmitEvent(event=Shutdown(reason=reason))
    respawns = Respawns()

    def ended(event: ProcessExited, _: LaunchContext) -> list:
        died = spec.respawn and event.returncode < 0
        return [] if died and respawns.died(spec.name) is not None else [end]

    make = ExecuteProcess if spec.offline else Node
    return make(**launch_kwargs(spec), on_exit=ended)
