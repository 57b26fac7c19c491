# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hilserl_bringup.node_specs import RunContext, graph_specs, phase_names
from hilserl_task import TaskError, load_task

CONTEXT = RunContext("ram_insertion", Path("runs/x"), seed=3)


def specs_of(phase, *overrides):
    return graph_specs(load_task("ram_insertion", overrides), phase, CONTEXT)


def names(specs):
    return [spec.name for spec in specs]


@pytest.mark.parametrize("phase", phase_names())
def test_every_phase_has_one_main_process_and_distinct_names(phase):
    specs = specs_of(phase)
    assert sum(spec.main for spec in specs) == 1
    assert len(set(names(specs))) == len(specs)


@pytest.mark.parametrize("phase", phase_names())
def test_every_process_knows_the_run(phase):
    for spec in specs_of(phase):
        assert spec.parameters["task"] == "ram_insertion"
        assert spec.parameters["seed"] == 3
        assert Path(spec.parameters["run_dir"]).is_absolute()


def test_training_graph():
    specs = specs_of("train")
    assert names(specs) == [
        "sim",
        "observation",
        "intervention_mux",
        "scripted_operator",
        "reward",
        "learner",
        "monitor",
        "actor",
    ]
    assert [spec.name for spec in specs if spec.main] == ["actor"]


def test_only_those_that_keep_their_work_on_disk_are_started_again():
    for phase in phase_names():
        expected = ["learner", "actor"] if phase == "train" else []
        assert [spec.name for spec in specs_of(phase) if spec.respawn] == expected


def test_nobody_at_the_stick_without_interventions():
    specs = specs_of("train", "operator.interventions=false")
    assert "scripted_operator" not in names(specs)
    mux = next(spec for spec in specs if spec.name == "intervention_mux")
    assert mux.parameters["operator_enabled"] is False
    assert "phase" not in mux.parameters


def test_demonstrations_need_the_operator_even_without_interventions():
    specs = specs_of("demos", "operator.interventions=false")
    assert "scripted_operator" in names(specs)
    mux = next(spec for spec in specs if spec.name == "intervention_mux")
    assert mux.parameters["operator_enabled"] is True


def test_evaluation_has_no_operator_and_no_learner():
    assert not {"scripted_operator", "learner", "recorder"} & set(names(specs_of("evaluate")))


def test_a_real_robot_has_no_simulation_and_no_simulated_person():
    specs = specs_of("train", "scene=null", "operator.kind=spacenav", "pacing=realtime")
    assert not {"sim", "scripted_operator"} & set(names(specs))


def test_labels_are_collected_without_a_reward():
    actor = next(spec for spec in specs_of("labels") if spec.name == "actor")
    assert actor.parameters["use_reward"] is False
    assert "reward" not in names(specs_of("labels"))


def test_overrides_reach_the_nodes_and_an_empty_list_is_left_out():
    assert "overrides" not in CONTEXT.parameters()
    context = RunContext("ram_insertion", Path("r"), overrides=("episode.max_steps=5",))
    specs = graph_specs(load_task("ram_insertion"), "train", context)
    assert all(spec.parameters["overrides"] == ["episode.max_steps=5"] for spec in specs)


def test_unknown_phase_names_all_phases():
    with pytest.raises(TaskError, match=r"'trian' is unknown.*labels.*train.*example"):
        specs_of("trian")
