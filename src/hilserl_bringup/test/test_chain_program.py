# SPDX-License-Identifier: Apache-2.0
"""From a chain file and run folders to processes; what is refused before anything starts."""

import os
from pathlib import Path

import pytest
import yaml

from hilserl_bringup import chain as program
from hilserl_bringup.chain_graph import CHAIN_FILE, chain_specs, open_folder, with_runs
from hilserl_bringup.commands import ros_arguments
from hilserl_task import TaskError, load_task
from hilserl_task.chain_loader import load_chain

TASKS = Path(__file__).resolve().parents[3] / "config" / "tasks"


def make_run(folder, task, *overrides, policy=True, age=0):
    """A run folder as far as the command looks into it; `age` makes its policy older."""
    folder.mkdir(parents=True)
    data = load_task(str(TASKS / f"{task}.yaml"), overrides).model_dump(mode="json")
    (folder / "task.yaml").write_text(yaml.safe_dump(data))
    if policy:
        (folder / "policy").mkdir()
        file = folder / "policy" / "policy.safetensors"
        file.write_bytes(b"weights")
        os.utime(file, (1000 - age, 1000 - age))
    return folder


@pytest.fixture
def runs(tmp_path):
    """The newest run of ram_first has no policy yet."""
    base = tmp_path / "runs"
    make_run(base / "a", "ram_first", age=5)
    make_run(base / "b", "ram_first")
    make_run(base / "c", "ram_first", policy=False)
    make_run(base / "d", "ram_second")
    return base


def test_the_newest_run_with_a_policy_is_taken(runs):
    chain = with_runs(load_chain("ram_pair"), runs, {})
    assert [Path(skill.run).name for skill in chain.skills] == ["b", "d"]


def test_a_run_that_is_named_comes_first(runs):
    chain = with_runs(load_chain("ram_pair"), runs, {"first": str(runs / "a")})
    assert [Path(skill.run).name for skill in chain.skills] == ["a", "d"]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"third": "x"}, "'third' is not a skill of chain ram_pair; skills: first, second"),
        (
            {"first": "{runs}/d"},
            "skill 'first': run folder {runs}/d: is of task 'ram_second', not of 'ram_first'",
        ),
        ({"first": "{runs}/c"}, "skill 'first': run folder {runs}/c: has no policy"),
        ({"first": "{runs}/nowhere"}, "skill 'first': run folder {runs}/nowhere: has no task.yaml"),
    ],
)
def test_runs_that_cannot_be_are_named(runs, chosen, said):
    chosen = {key: value.format(runs=runs) for key, value in chosen.items()}
    with pytest.raises(TaskError) as caught:
        with_runs(load_chain("ram_pair"), runs, chosen)
    assert said.format(runs=runs) in str(caught.value)


def test_without_any_run_the_words_say_how_to_get_one(tmp_path):
    with pytest.raises(TaskError, match="make demo TASK=ram_first"):
        with_runs(load_chain("ram_pair"), tmp_path, {})


def test_skills_that_do_not_fit_leave_no_folder(runs, tmp_path):
    other = make_run(runs / "e", "ram_second", "period_s=0.05", "arms.0.controller.target_timeout_s=0.5")
    chain = with_runs(load_chain("ram_pair"), runs, {"second": str(other)})
    with pytest.raises(TaskError, match=r"period_s: 0\.1 here, 0\.05 there"):
        open_folder(tmp_path / "out", runs, chain, None)
    assert not (tmp_path / "out").exists()


def test_every_skill_has_a_reward_node_with_its_own_model_and_topic(runs, tmp_path):
    chain = with_runs(load_chain("ram_pair"), runs, {})
    folder, task = open_folder(tmp_path / "out", runs, chain, "realtime")
    assert task.pacing == "realtime"
    assert task.scene.parameters["target"] == 0
    specs = chain_specs(chain, task, folder, seed=3, chains=7, pictured=1, board_moved=False)
    rewards = {spec.name: spec for spec in specs if spec.executable == "reward"}
    assert rewards.keys() == {"reward_first", "reward_second"}
    assert rewards["reward_second"].parameters["run_dir"] == str(runs / "d")
    line = ros_arguments(rewards["reward_second"], tmp_path / "p.yaml")
    assert "reward:=second/reward" in line
    assert [spec.executable for spec in specs if spec.main] == ["chain"]
    assert len({spec.name for spec in specs}) == len(specs)
    assert not any(spec.executable == "scripted_operator" for spec in specs)
    stored = load_chain(str(folder / CHAIN_FILE))
    assert [skill.run for skill in stored.skills] == [skill.run for skill in chain.skills]
    with pytest.raises(TaskError, match="is not empty"):
        open_folder(folder, runs, chain, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--chains", "0"], "--chains: '0' must be a whole number of at least 1; example: 10"),
        (["--run", "first"], "--run: 'first' must be SKILL=DIR; example: --run first=runs/latest"),
        (["--chain", "ram_pear"], "did you mean 'ram_pair'?"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, said, capsys):
    assert program.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_chains_are_listed(capsys):
    assert program.main(["--list-chains"]) == 0
    assert "ram_pair" in capsys.readouterr().out.split()
