# SPDX-License-Identifier: Apache-2.0
"""Wrench actions: what a task file may say, how many values there are, and what they mean."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hilserl_task import TaskError, load_task
from hilserl_task.action_codec import action_wrench, arm_target, no_wrench, values_from_stick
from hilserl_task.schema import Task
from hilserl_task.spaces import ArmReading, action_space, state_names, state_vector

REPOSITORY = Path(__file__).resolve().parents[3]
# The original's egg flip, with its keys out of order.
SCALES = "type: wrench, torque_scale_nm: {y: 3.5}, force_scale_n: {z: 12.0, x: 13.0}"
FLIP = f"arms.0.action={{{SCALES}}}"
IN_TCP = f"arms.0.action={{{SCALES}, frame: tcp}}"
LEARNED = ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0"]
TASKS = {"base": load_task("ram_insertion", [FLIP]), "tcp": load_task("ram_insertion", [IN_TCP])}
TOOL_DOWN = np.diag([1.0, -1.0, -1.0, 1.0])
three = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(np.array)
angles = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


def at(position=(0.5, 0.0, 0.2), rotvec=(np.pi, 0.0, 0.0)):
    base_T_tcp = np.eye(4)
    base_T_tcp[:3, :3], base_T_tcp[:3, 3] = Rotation.from_rotvec(rotvec).as_matrix(), position
    return base_T_tcp


def test_values_are_the_commanded_axes_forces_first():
    action = TASKS["base"].arms[0].action
    assert action.names == ("force_x", "force_z", "torque_y")
    assert (action.axes, action.scales) == ((0, 2, 4), (13.0, 12.0, 3.5))
    assert TASKS["base"].action_dim == 3
    assert action_space(TASKS["base"]).shape == (3,)


def test_a_learned_gripper_comes_after_them_and_arms_may_differ(tmp_path):
    task = load_task("ram_insertion", [FLIP, *LEARNED])
    assert (task.action_dim, task.action_layout.gripper_columns) == (4, (3,))
    data = yaml.safe_load((REPOSITORY / "config/tasks/ram_insertion.yaml").read_text())
    twist = data["arms"][0]
    wrench = {**twist, "action": {"type": "wrench", "force_scale_n": {"y": 5.0}}}
    data["arms"] = [{**wrench, "name": "left"}, {**twist, "name": "right"}]
    data["cameras"] = [{"name": "wrist", "arm": "left"}]
    path = tmp_path / "dual.yaml"
    path.write_text(yaml.safe_dump(data))
    places = load_task(str(path)).action_layout.arms
    assert [place.motion for place in places] == [slice(0, 1), slice(1, 7)]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["arms.0.action={type: wrench}"], ["at least one axis", "example: {type: wrench"]),
        (
            ["arms.0.action.force_scale_n={x: 5}"],
            ["force_scale_n: {'x': 5.0}", "type is twist", "leave it"],
        ),
        (["arms.0.action.frame=tcp"], ["frame: tcp", "type is twist"]),
        ([FLIP, "arms.0.action.translation_scale_m=0.02"], ["translation_scale_m: 0.02", "type is wrench"]),
        ([FLIP, "arms.0.action.force_scale_n.w=5"], ["force_scale_n", "'x', 'y' or 'z'", "'w'"]),
        ([FLIP, "arms.0.action.force_scale_n.x=0"], ["force_scale_n.x", "greater than 0"]),
        ([FLIP, "arms.0.action.force_scale_n.x=21"], ["force_scale_n.x", "less than or equal to 20", "21"]),
        ([FLIP, "arms.0.action.torque_scale_nm.y=.nan"], ["torque_scale_nm.y"]),
        ([FLIP, "arms.0.action.frame=world"], ["action.frame", "'base' or 'tcp'", "'world'"]),
        ([FLIP, "arms.0.controller.max_force_n=10"], ["force_scale_n.z: 12", "controller.max_force_n (10)"]),
        ([FLIP, "arms.0.controller.max_torque_nm=3"], ["torque_scale_nm.y: 3.5", "max_torque_nm (3)"]),
        ([FLIP, "arms.0.controller.wrench.timeout_s=0.1"], ["timeout_s: 0.1 s", "period_s (0.1 s)", "0.2"]),
        (["arms.0.controller.wrench.timeout_s=0.3"], ["controller.wrench", "action.type: wrench", "twist"]),
        (
            [FLIP, "arms.0.controller.workspace.orientation={minimum_rad: [1, 0, 0]}"],
            ["minimum_rad must be below maximum_rad"],
        ),
    ],
)
def test_what_does_not_fit_is_named(overrides, words):
    with pytest.raises(TaskError) as refused:
        load_task("ram_insertion", overrides)
    for word in words:
        assert word in str(refused.value)
    assert "at least 1 item" not in str(refused.value), "there is an arm; it is only wrong"


def test_what_a_run_saves_is_the_same_task():
    for overrides in ([], [FLIP], [IN_TCP, "observation.joint_state=true"]):
        task = load_task("ram_insertion", overrides)
        again = Task.model_validate(yaml.safe_load(yaml.safe_dump(task.model_dump(mode="json"))))
        assert again == task
        assert again.config_hash() == task.config_hash()


def test_wrench_keys_change_what_wrench_tasks_share_and_nothing_of_others():
    shared = load_task("ram_insertion").shared_config()
    assert "wrench" not in shared["arms"][0]["controller"]
    assert set(shared["arms"][0]["action"]) == {"type", "translation_scale_m", "rotation_scale_rad"}
    stiffer = load_task("ram_insertion", [FLIP, "arms.0.controller.wrench.translational_damping=30"])
    assert stiffer.config_hash() != TASKS["base"].config_hash() != TASKS["tcp"].config_hash()


@settings(deadline=None)
@given(values=three)
def test_values_become_newtons_and_back(values):
    action = TASKS["base"].arms[0].action
    wrench = action_wrench(values, action)
    np.testing.assert_array_equal(wrench[[1, 3, 5]], 0.0)
    np.testing.assert_allclose(wrench[list(action.axes)] / action.scales, values, atol=1e-12)
    target = arm_target(at(), values, TASKS["base"].arms[0])
    assert (target.base_T_target, target.frame) == (None, "base")
    np.testing.assert_array_equal(target.wrench, wrench)


@pytest.mark.parametrize("frame", ["base", "tcp"])
@settings(deadline=None)
@given(values=three, rotvec=angles)
def test_nothing_pushes_an_arm_farther_out_of_its_workspace(frame, values, rotvec):
    """Above and right of the box: what is left of the force goes down and left, or along the walls."""
    arm = TASKS[frame].arms[0]
    box = arm.controller.workspace
    base_T_tcp = at((box.maximum_m[0] + 0.01, 0.0, box.maximum_m[2] + 0.01), rotvec)
    wanted, target = action_wrench(values, arm.action), arm_target(base_T_tcp, values, arm)
    turn = np.eye(3) if frame == "base" else base_T_tcp[:3, :3]
    force, left = turn @ wanted[:3], turn @ target.wrench[:3]
    np.testing.assert_allclose(left, [min(force[0], 0.0), force[1], min(force[2], 0.0)], atol=1e-9)
    np.testing.assert_array_equal(target.wrench[3:], wanted[3:])


def test_letting_go_is_no_force_in_the_axes_of_the_action():
    for frame, task in TASKS.items():
        target = no_wrench(task.arms[0].action)
        assert target.frame == frame
        assert not target.wrench.any()


@pytest.mark.parametrize("stick_frame", ["base", "tcp"])
@pytest.mark.parametrize("frame", ["base", "tcp"])
def test_the_stick_pushes_the_hand_along_the_sticks_axes(stick_frame, frame):
    """Whatever axes stick and wrench have: seen from the base, the force is where the stick points."""
    task = load_task("ram_insertion", [FLIP if frame == "base" else IN_TCP, f"operator.frame={stick_frame}"])
    base_T_tcp, stick = at(rotvec=(np.pi, 0.0, 0.0)), np.array([0.5, 0.0, 0.25, 0.0, -0.4, 0.0])
    values = values_from_stick(task, task.arms[0], base_T_tcp, stick)
    np.testing.assert_allclose(np.abs(values), [0.5, 0.25, 0.4], atol=1e-12)
    wrench = arm_target(base_T_tcp, values, task.arms[0]).wrench
    base_R_wrench = np.eye(3) if frame == "base" else base_T_tcp[:3, :3]
    base_R_stick = np.eye(3) if stick_frame == "base" else base_T_tcp[:3, :3]
    np.testing.assert_allclose(
        base_R_wrench @ wrench[:3], base_R_stick @ [0.5 * 13, 0.0, 0.25 * 12], atol=1e-9
    )
    np.testing.assert_allclose(base_R_wrench @ wrench[3:], base_R_stick @ [0.0, -0.4 * 3.5, 0.0], atol=1e-9)


def test_a_stick_along_other_axes_does_nothing():
    task = TASKS["base"]
    values = values_from_stick(task, task.arms[0], at(), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(values, 0.0, atol=1e-12)


def test_joints_are_in_the_state_where_the_task_says_so():
    task = load_task("ram_insertion", [*LEARNED, "observation.joint_state=true"])
    names = state_names(task)
    assert names[18:21] == ["arm/gripper_position", "arm/joint_1_position_rad", "arm/joint_2_position_rad"]
    assert names[-1] == "arm/joint_7_velocity_radps"
    assert len(names) == 19 + 14
    eye, six = np.eye(4), np.zeros(6)
    state = state_vector([ArmReading(eye, eye, six, six, 1.0, np.arange(14.0))])
    np.testing.assert_array_equal(state[19:], np.arange(14.0))
    six_joints = load_task("ram_insertion", ["observation.joint_state=true", "arms.0.joints=6"])
    assert len(state_names(six_joints)) == 18 + 12
    hashes = {load_task("ram_insertion", [f"arms.0.joints={n}"]).config_hash() for n in (6, 7)}
    assert len(hashes) == 1, "the number of joints means nothing where they are not seen"
    with pytest.raises(TaskError, match="joints"):
        load_task("ram_insertion", ["arms.0.joints=9"])
