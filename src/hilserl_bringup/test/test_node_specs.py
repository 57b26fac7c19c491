# SPDX-License-Identifier: Apache-2.0
import json
import os
import pty
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
        "label_keeper",
        "learner",
        "coach",
        "monitor",
        "actor",
    ]
    assert [spec.name for spec in specs if spec.main] == ["actor"]


def test_only_those_that_keep_their_work_on_disk_are_started_again():
    for phase in phase_names():
        expected = ["label_keeper", "learner", "actor"] if phase == "train" else []
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


PERSON = ("scene=null", "operator.kind=person", "pacing=realtime")


def test_where_the_person_pays_there_is_no_classifier_but_always_a_device():
    devices = "operator.devices=[{driver: hidraw}]"
    for phase in ("demos", "train", "evaluate"):
        found = names(specs_of(phase, *PERSON, devices, "reward.source=human"))
        assert "hidraw" in found
        assert not {"reward", "label_keeper"} & set(found)
        assert "reward" in names(specs_of(phase, *PERSON, devices))


def test_a_driver_for_every_device_while_a_person_is_there():
    devices = "operator.devices=[{driver: hidraw, arm: arm, serial: A}]"
    for phase in ("labels", "demos", "train"):
        spec = next(spec for spec in specs_of(phase, *PERSON, devices) if spec.package == "hilserl_teleop")
        assert (spec.executable, spec.name) == ("hidraw", "hidraw_arm")
        assert spec.parameters["device"] == 0
    for phase, more in (("evaluate", ()), ("train", ("operator.interventions=false",))):
        assert not [s for s in specs_of(phase, *PERSON, devices, *more) if s.package == "hilserl_teleop"]


def test_one_device_for_all_arms_has_the_name_of_its_driver():
    assert "gamepad" in names(specs_of("demos", *PERSON, "operator.devices=[{driver: gamepad}]"))


@pytest.mark.parametrize("reset", ["reset.confirm=true", "reset.kind=human"])
def test_a_reset_that_waits_for_the_person_has_a_button_in_every_phase(reset):
    device = 'operator.devices=[{"driver": "hidraw"}]'
    assert "hidraw" in names(specs_of("evaluate", *PERSON, device, reset))
    assert "hidraw" not in names(specs_of("evaluate", *PERSON, device))


def test_external_devices_and_those_of_a_scripted_person_are_not_started():
    external = "operator.devices=[{driver: external}]"
    assert not [s for s in specs_of("demos", *PERSON, external) if s.package == "hilserl_teleop"]
    assert "hidraw" not in names(specs_of("demos", "operator.devices=[{driver: hidraw}]"))


def test_two_devices_for_two_arms():
    arm = load_task("ram_insertion").arms[0].model_dump(mode="json")
    arms = f"arms={json.dumps([{**arm, 'name': name} for name in ('left', 'right')])}"
    devices = "[{driver: hidraw, arm: right, serial: A}, {driver: hidraw, arm: left, serial: B}]"
    cameras = "cameras=[{name: wrist_1, arm: left}]"
    specs = specs_of("train", *PERSON, arms, cameras, f"operator.devices={devices}")
    drivers = {spec.name: spec.parameters["device"] for spec in specs if spec.package == "hilserl_teleop"}
    assert drivers == {"hidraw_right": 0, "hidraw_left": 1}


def test_a_keyboard_reads_the_terminal_of_who_starts_the_phase(monkeypatch):
    keyboard = "operator.devices=[{driver: keyboard}]"
    ttyname, (master, slave) = os.ttyname, pty.openpty()
    with open(os.devnull) as nothing:
        monkeypatch.setattr(os, "ttyname", lambda _: ttyname(slave))
        spec = next(spec for spec in specs_of("demos", *PERSON, keyboard) if spec.name == "keyboard")
        assert spec.parameters["tty"] == ttyname(slave)
        monkeypatch.setattr(os, "ttyname", lambda _: ttyname(nothing.fileno()))
        with pytest.raises(TaskError, match=r"driver: keyboard needs a terminal.*external"):
            specs_of("demos", *PERSON, keyboard)
    os.close(master)
    os.close(slave)


def test_cameras_of_ours_are_started_and_others_are_not():
    """One process for all RealSense cameras, as librealsense wants it, and one for each V4L2 camera."""
    robot = ("scene=null", "operator.kind=spacenav", "pacing=realtime")
    cameras = (
        "[{name: a, driver: realsense, serial: '1'}, {name: b, driver: realsense, serial: '2'}, {name: e}, "
        "{name: c, driver: v4l2, device: /dev/video0}, {name: d, driver: v4l2, device: /dev/video2}]"
    )
    specs = [spec for spec in specs_of("train", *robot, f"cameras={cameras}") if "cameras" in spec.package]
    assert [(spec.executable, spec.name, spec.parameters.get("camera")) for spec in specs] == [
        ("realsense", "realsense", None),
        ("v4l2", "v4l2_c", "c"),
        ("v4l2", "v4l2_d", "d"),
    ]
    for others in (robot, ()):  # external ones, simulated ones
        assert not [spec for spec in specs_of("train", *others) if spec.package == "hilserl_cameras"]


def test_a_robot_has_a_reset_and_a_simulation_its_own():
    robot = names(specs_of("train", *PERSON))
    assert "reset" in robot
    assert "sim" not in robot
    assert "reset" not in names(specs_of("train"))
    assert {"realsense", "hidraw", "reset"} <= set(
        names(graph_specs(load_task("ram_insertion_fr3"), "demos", CONTEXT))
    )


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
