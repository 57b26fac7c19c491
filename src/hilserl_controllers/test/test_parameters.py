# SPDX-License-Identifier: Apache-2.0
"""Parameter files, their table and the robot files say the same."""

import importlib.util
from pathlib import Path

import pytest
import yaml

PACKAGE = Path(__file__).resolve().parent.parent
ROBOTS = sorted((PACKAGE.parent.parent / "config" / "robots").glob("*.yaml"))
PLUGINS = {
    "hilserl_controllers/CartesianImpedanceController": "cartesian_impedance_controller",
    "hilserl_controllers/CartesianAdmittanceController": "cartesian_admittance_controller",
}


@pytest.fixture(scope="module")
def tool():
    path = PACKAGE / "doc" / "make_parameter_table.py"
    spec = importlib.util.spec_from_file_location("make_parameter_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(tool, controller: str) -> dict:
    content = yaml.safe_load((PACKAGE / "src" / f"{controller}_parameters.yaml").read_text())
    return dict(tool._leaves(content[controller]))


def flat(values: dict, prefix: str = "") -> dict:
    out = {}
    for name, value in values.items():
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{name}.")
        else:
            out[prefix + name] = value
    return out


def test_table_is_current(tool):
    assert tool.TABLE.read_text() == tool.table(), "run doc/make_parameter_table.py"


@pytest.mark.parametrize("controller", PLUGINS.values())
def test_every_number_says_its_unit_and_every_parameter_what_it_is(tool, controller):
    for name, entry in declared(tool, controller).items():
        assert len(entry["description"]) > 15, name
        assert "read_only" in entry or "run time" in entry["description"], f"{name}: may it change?"


def test_there_are_robots():
    assert [file.stem for file in ROBOTS] == ["fr3", "franka_duo", "generic_6dof", "generic_7dof", "mujoco"]


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda file: file.stem)
def test_robot_file_sets_only_parameters_that_exist_with_their_types(tool, robot):
    content = yaml.safe_load(robot.read_text())["/**"]
    manager = content["controller_manager"]["ros__parameters"]
    ours = {k: v["type"] for k, v in manager.items() if isinstance(v, dict) and "type" in v}
    controllers = {name: kind for name, kind in ours.items() if kind.startswith("hilserl_controllers/")}
    assert controllers
    kinds = {
        "double": float,
        "string": str,
        "bool": bool,
        "int": int,
        "double_array": list,
        "string_array": list,
    }
    for name, kind in controllers.items():
        known = declared(tool, PLUGINS[kind])
        given = flat(content[name]["ros__parameters"])
        given.pop("use_sim_time", None)
        for parameter, value in given.items():
            assert parameter in known, f"{robot.name}: {name} has no parameter {parameter}"
            entry = known[parameter]
            assert isinstance(value, kinds[entry["type"]]), f"{robot.name}: {parameter} is {value!r}"
            if entry["type"] == "double_array":
                assert all(isinstance(number, float) for number in value), parameter
            size = entry.get("validation", {}).get("fixed_size<>")
            assert size is None or len(value) == size[0], parameter


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda file: file.stem)
def test_robot_pushes_within_its_force_limit(tool, robot):
    content = yaml.safe_load(robot.read_text())["/**"]
    given_to = {name: flat(node["ros__parameters"]) for name, node in content.items()}
    for given in (given for given in given_to.values() if "joints" in given):
        assert given["gains.clip_unit"] == "force", "robot files give pushes in newtons"
        for side in ("gains.clip_negative", "gains.clip_positive"):
            assert max(given[side][:3]) <= given.get("limits.max_force", 40.0)
            assert max(given[side][3:]) <= given.get("limits.max_torque", 10.0)


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda file: file.stem)
def test_franka_reflexes_leave_room_for_the_push(robot):
    content = yaml.safe_load(robot.read_text())["/**"]
    given_to = {name: flat(node["ros__parameters"]) for name, node in content.items()}
    arms = {name: given for name, given in given_to.items() if "collision.upper_force" in given}
    assert bool(arms) == (robot.stem in ("fr3", "franka_duo"))
    for arm in arms.values():
        limits = [given_to[name] for name in arm["controllers"] if name in given_to]
        assert limits, "an arm without a Cartesian controller"
        assert all(min(arm["collision.upper_force"][:3]) > one["limits.max_force"] for one in limits)
        assert all(min(arm["collision.upper_force"][3:]) > one["limits.max_torque"] for one in limits)
