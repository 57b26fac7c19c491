# SPDX-License-Identifier: Apache-2.0
"""A chain file: what is refused, with which words, and what its graph runs with."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from hilserl_task import TaskError, load_task
from hilserl_task.chain_loader import action_ratio, available_chains, check_chain, graph_task, load_chain

CONFIG = Path(__file__).parents[3] / "config"
TASKS = [load_task(str(CONFIG / "tasks" / f"{name}.yaml")) for name in ("ram_first", "ram_second")]
UP = {"move": {"by_m": [0.0, 0.0, 0.05]}}


def skill(**changes):
    return {"name": "first", "task": "ram_first", "approach": [UP], **changes}


@pytest.fixture
def load(tmp_path):
    """Loads a chain of one skill, changed, beside keys of the chain."""

    def load(chain=(), **changes):
        path = tmp_path / "chain.yaml"
        path.write_text(yaml.safe_dump({"name": "one", "skills": [skill(**changes)], **dict(chain)}))
        return load_chain(str(path))

    return load


@pytest.mark.parametrize("name", available_chains())
def test_shipped_chain_fits_its_tasks(name):
    chain = load_chain(name)
    assert chain.name == name
    check_chain(chain, [load_task(str(CONFIG / "tasks" / f"{skill.task}.yaml")) for skill in chain.skills])


def test_there_is_a_shipped_chain():
    assert "ram_pair" in available_chains()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attempts": 0}, "skills.0.attempts: Input should be greater than or equal to 1; got 0"),
        ({"aproach": []}, "skills.0.aproach: unknown key; did you mean 'approach'?"),
        ({"approach": [{"mvoe": {}}]}, "skills.0.approach.0.mvoe: unknown key; did you mean 'move'?"),
        ({"approach": [{}]}, "a motion is one of move, gripper, wait, not none"),
        ({"approach": [UP | {"wait": {"seconds": 1}}]}, "not move and wait"),
        ({"approach": [{"move": {}}]}, "give either `to` or `by_m`/`by_rad`, not neither"),
        (
            {"approach": [{"move": {"to": {"position_m": [0.5, 0, 0.1], "rotation_rad": [0, 0, 0]}} | UP}]},
            "skills.0.approach.0",
        ),
        ({"approach": [{"move": {"by_m": [0, 0, float("nan")]}}]}, "by_m.2: Input should be a finite number"),
        ({"approach": [{"move": UP["move"] | {"yaw_range_rad": 0.1}}]}, "go with `to`"),
        ({"approach": [{"gripper": {"position": 1.5}}]}, "position: Input should be less than or equal to 1"),
        ({"approach": [{"wait": {"seconds": 0}}]}, "seconds: Input should be greater than 0"),
        ({"task": None}, "skills.0.task"),
    ],
)
def test_wrong_values_are_named(load, changes, said):
    with pytest.raises(TaskError) as caught:
        load(**changes)
    assert said in str(caught.value)
    assert "chain file" in str(caught.value)


def test_names_of_skills_differ(load):
    with pytest.raises(TaskError, match=r"skills: names must differ, got \['first', 'first'\]"):
        load(chain={"skills": [skill(), skill()]})


def test_an_unknown_chain_is_named_with_what_there_is():
    with pytest.raises(TaskError, match="'ram_pear' is unknown; did you mean 'ram_pair'"):
        load_chain("ram_pear")


def changed(task, *keys, value):
    data = task.model_dump(mode="json")
    node = data
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    return type(task).model_validate(data)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("period_s",), 0.05, "period_s: 0.1 here, 0.05 there"),
        (
            ("arms", 0, "controller", "gains", "translational_stiffness"),
            900.0,
            "arms.0.controller.gains.translational_stiffness: 2000.0 here, 900.0 there",
        ),
        (("observation", "image_size"), 64, "observation.image_size: 128 here, 64 there"),
        (("scene", "name"), "ram_insertion", "scene.name: ram_pair here, ram_insertion there"),
    ],
)
def test_skills_share_what_one_graph_has_once(keys, value, said):
    chain = load_chain("ram_pair")
    with pytest.raises(TaskError) as caught:
        check_chain(chain, [TASKS[0], changed(TASKS[1], *keys, value=value)])
    assert said in str(caught.value)
    assert "skill 'second' does not fit 'first'" in str(caught.value)


def test_what_an_episode_began_as_is_not_known_in_a_chain():
    flips = {"classes": ["a", "b", "c"], "flip_between": ["a", "b"]}
    reward = {**TASKS[1].model_dump(mode="json")["reward"], **flips}
    second = changed(changed(TASKS[1], "reward", value=reward), "observation", "start_class", value=True)
    with pytest.raises(TaskError, match=r"skill 'second': its run has observation\.start_class: true"):
        check_chain(load_chain("ram_pair"), [TASKS[0], second])


def test_a_run_of_another_task_is_refused():
    with pytest.raises(
        TaskError, match="skill 'second': its run is of task 'ram_first', not of 'ram_second'"
    ):
        check_chain(load_chain("ram_pair"), [TASKS[0], TASKS[0]])


@pytest.mark.parametrize(
    ("move", "said"),
    [
        ({"by_m": [0, 0, 0.1], "arm": "left"}, "approach.0: arm 'left' is not one of the arms"),
        (
            {
                "to": {"position_m": [0.69, 0, 0.1], "rotation_rad": [3.1, 0, 0]},
                "translation_range_m": [0.02, 0, 0],
            },
            "approach.0.move.to.position_m",
        ),
        ({"by_m": [0, 0, 0.1], "max_linear_speed": 0.3}, "is above controller.max_linear_speed"),
    ],
)
def test_motions_fit_the_arm(load, move, said):
    with pytest.raises(TaskError) as caught:
        check_chain(load(approach=[{"move": move}]), TASKS[:1])
    assert said in str(caught.value)


def test_actions_of_a_skill_mean_the_same_in_the_graph():
    """The graph runs with the largest scale; a skill with half of it has its actions halved."""
    fine = changed(TASKS[1], "arms", 0, "action", "translation_scale_m", value=0.005)
    chain = load_chain("ram_pair")
    check_chain(chain, [TASKS[0], fine])
    graph = graph_task(chain, [fine, TASKS[0]])
    assert graph.arms[0].action.translation_scale_m == 0.01
    assert graph.name == "ram_pair"
    assert graph.scene.parameters["target"] == 0
    np.testing.assert_allclose(action_ratio(fine, graph), [0.5, 0.5, 0.5, 1, 1, 1])
    np.testing.assert_allclose(action_ratio(TASKS[0], graph), np.ones(6))


def test_the_longest_time_limit_counts_for_the_graph():
    long = changed(TASKS[1], "episode", "max_steps", value=170)
    assert graph_task(load_chain("ram_pair"), [TASKS[0], long]).episode.max_steps == 170


def test_robot_tasks_do_not_run_in_lockstep():
    robot = load_task("ram_insertion_fr3")
    chain = load_chain("ram_pair")
    with pytest.raises(TaskError, match="lockstep needs a simulated scene"):
        graph_task(chain, [robot, robot], "lockstep")
    assert graph_task(chain, [robot, robot]).pacing == "realtime"
