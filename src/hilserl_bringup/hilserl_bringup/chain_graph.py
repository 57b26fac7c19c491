# SPDX-License-Identifier: Apache-2.0
"""Which processes run a chain of skills, and the folder that holds what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import yaml

from hilserl_bringup.contestants import check_task, policy_file
from hilserl_bringup.node_specs import NodeSpec, RunContext, node_spec, robot_side
from hilserl_bringup.run_folder import TASK_FILE, write_task, write_whole
from hilserl_task import Task, TaskError, load_task
from hilserl_task.chain_loader import check_chain, graph_task
from hilserl_task.chain_spec import ChainSpec, SkillSpec

CHAIN_FILE = "chain.yaml"


def with_runs(chain: ChainSpec, runs: Path, chosen: Mapping[str, str]) -> ChainSpec:
    """The chain with an absolute run folder for every skill.

    Args:
        runs: folder of run folders, for skills that name none.
        chosen: run folders by skill, before those of the file.

    Raises:
        TaskError: a skill that does not exist, or no run folder with a policy.
    """
    names = [skill.name for skill in chain.skills]
    for name in chosen:
        if name not in names:
            raise TaskError(
                f"--run: '{name}' is not a skill of chain {chain.name}; skills: {', '.join(names)}"
            )
    skills = tuple(_with_run(skill, runs, chosen.get(skill.name)) for skill in chain.skills)
    return chain.model_copy(update={"skills": skills})


def _with_run(skill: SkillSpec, runs: Path, chosen: str | None) -> SkillSpec:
    named = chosen or skill.run
    folder = Path(named) if named else _newest(skill, runs)
    try:
        check_task(folder, skill.task)
        policy_file(folder, skill.checkpoint)
    except TaskError as error:
        raise TaskError(f"skill '{skill.name}': {error}") from error
    return skill.model_copy(update={"run": str(folder.resolve())})


def _newest(skill: SkillSpec, runs: Path) -> Path:
    """The run folder of the skill's task whose policy is the newest."""
    found = []
    for file in runs.glob(f"*/{TASK_FILE}"):
        policy = file.parent / "policy" / "policy.safetensors"
        if policy.is_file() and yaml.safe_load(file.read_text(encoding="utf-8")).get("name") == skill.task:
            found.append((policy.stat().st_mtime_ns, file.parent))
    if not found:
        raise TaskError(
            f"skill '{skill.name}': no run of task '{skill.task}' with a policy in {runs}; train it with "
            f"`make demo TASK={skill.task}`, or name one: --run {skill.name}=DIR"
        )
    return max(found)[1]


def open_folder(folder: Path | None, runs: Path, chain: ChainSpec, pacing: str | None) -> tuple[Path, Task]:
    """Makes the folder of the results, with the resolved chain and the task that the graph runs with.

    Raises:
        TaskError: skills that do not fit each other, or a folder that holds results already.
        OSError: it cannot be made.
    """
    tasks = [load_task(str(Path(str(skill.run)) / TASK_FILE)) for skill in chain.skills]
    check_chain(chain, tasks)
    task = graph_task(chain, tasks, pacing)
    folder = folder or runs / f"chain-{chain.name}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.is_dir() and any(folder.iterdir()):
        raise TaskError(f"--out: {folder} is not empty; give the results a folder of their own")
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(chain.model_dump(mode="json"), sort_keys=False)
    write_whole(folder / CHAIN_FILE, f"# The chain as it was run, with all defaults.\n{text}")
    write_task(folder, task)
    return folder.resolve(), task


def chain_specs(
    chain: ChainSpec, task: Task, folder: Path, seed: int, chains: int, pictured: int, board_moved: bool
) -> list[NodeSpec]:
    """All processes of a chain: robot side, one reward node a skill, the chain and its monitor.

    Args:
        chains: so many, then the end; 0: serve the action until Ctrl-C.
    """
    context = RunContext(str(folder / TASK_FILE), folder, seed)
    file = str(folder / CHAIN_FILE)
    # A simulated person would be waited for in every step; nobody corrects a chain in simulation.
    person = task.operator.kind == "person"
    return [
        *robot_side(task, context, "evaluate", operator=person),
        *(_reward(skill, seed) for skill in chain.skills if _needs_classifier(skill)),
        node_spec(
            context,
            "hilserl_agent",
            "chain_monitor",
            terminal=True,
            chain=file,
            chains=chains,
            pictured=pictured,
        ),
        node_spec(
            context, "hilserl_agent", "chain", main=True, chain=file, chains=chains, evaluation=board_moved
        ),
    ]


def _needs_classifier(skill: SkillSpec) -> bool:
    return load_task(str(Path(str(skill.run)) / TASK_FILE)).reward.source != "human"


def _reward(skill: SkillSpec, seed: int) -> NodeSpec:
    """One classifier a skill, each on a topic of its own: `<skill>/reward`."""
    run = Path(str(skill.run))
    return NodeSpec(
        "hilserl_reward",
        "reward",
        f"reward_{skill.name}",
        parameters={"task": str(run / TASK_FILE), "run_dir": str(run), "seed": seed, "watch_model": False},
        remappings={"reward": f"{skill.name}/reward"},
    )
