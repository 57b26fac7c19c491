# SPDX-License-Identifier: Apache-2.0
"""The controllers of one robot: `ros2 launch hilserl_bringup controllers.launch.py robot:=generic_7dof`.

Starts ros2_control's node with config/robots/<robot>.yaml and spawns what that file names as controllers. The
robot's description comes from robot_state_publisher, which the robot's own launch file starts; with
`description:=<file>` (URDF or xacro) this one does. A section with collision thresholds is a Franka arm:
hilserl_franka sets them and then activates the controllers it names, which are spawned inactive.
"""

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import Command, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = (
    ("robot", "", "name in config/robots, or path of a file like those"),
    ("namespace", "arm", "of the arm: its topics are <namespace>/cartesian_controller/..."),
    ("description", "", "URDF or xacro file and its arguments (default: robot_state_publisher runs)"),
    ("simulation", "false", "true: the ros2_control node of mujoco_ros2_control, which holds the simulation"),
    ("start_node", "true", "false: the robot's own launch file runs ros2_control_node with this robot file"),
)
TOPICS = ("target", "target_pose", "target_wrench", "controller_state", "tare_force_torque_sensor")


def generate_launch_description() -> LaunchDescription:
    """Arguments, and the processes that follow from them."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, default, text in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_actions)])


def controllers_of(robot_file: Path) -> list[str]:
    """Names of the controllers the file gives a type to; a file without any is refused."""
    content = yaml.safe_load(robot_file.read_text())
    manager = content.get("/**", {}).get("controller_manager", {}).get("ros__parameters", {})
    names = [name for name, value in manager.items() if isinstance(value, dict) and "type" in value]
    if not names:
        raise ValueError(
            f"{robot_file}: names no controller; needs /**: controller_manager: ros__parameters: "
            "<name>: {type: <plugin>}, as config/robots/generic_7dof.yaml"
        )
    return names


def franka_arms_of(robot_file: Path) -> dict[str, list[str]]:
    """Node name -> its controllers, of the sections with collision thresholds."""
    sections = yaml.safe_load(robot_file.read_text())["/**"]
    parameters = {name: section["ros__parameters"] for name, section in sections.items()}
    return {
        name: given.get("controllers", ["cartesian_controller"])
        for name, given in parameters.items()
        if "collision" in given
    }


def _robot_file(robot: str) -> Path:
    folder = Path(get_package_share_directory("hilserl_bringup")) / "config" / "robots"
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    for candidate in (folder / f"{robot}.yaml", Path(robot)):
        if robot and candidate.is_file():
            return candidate
    raise ValueError(f"robot:={robot}: must be a file or one of {', '.join(known)}")


def _actions(context: LaunchContext) -> list:
    values = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    robot_file = _robot_file(values["robot"])
    simulated = values["simulation"].lower() == "true"
    actions = []
    if values["description"]:
        actions.append(_state_publisher(values, simulated))
    if values["start_node"].lower() == "true":
        actions.append(_control_node(values, robot_file, simulated))
    arms = {} if simulated else franka_arms_of(robot_file)
    inactive = {name for controllers in arms.values() for name in controllers}
    actions += [
        _spawner(values, robot_file, name, inactive=name in inactive) for name in controllers_of(robot_file)
    ]
    return [*actions, *(_franka_arm(values, robot_file, name) for name in arms)]


def _state_publisher(values: dict[str, str], simulated: bool) -> Node:
    text = ParameterValue(Command(["xacro ", values["description"]]), value_type=str)
    return Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        namespace=values["namespace"],
        parameters=[{"robot_description": text, "use_sim_time": simulated}],
    )


def _control_node(values: dict[str, str], robot_file: Path, simulated: bool) -> Node:
    """Everything ends with it: an arm without its controller manager is not to be commanded."""
    return Node(
        package="mujoco_ros2_control" if simulated else "controller_manager",
        executable="ros2_control_node",
        namespace=values["namespace"],
        parameters=[str(robot_file), {"use_sim_time": simulated}],
        on_exit=Shutdown(reason="ros2_control_node ended"),
    )


def _franka_arm(values: dict[str, str], robot_file: Path, name: str) -> Node:
    """Without it the controllers stay inactive, so its end is not the end of everything."""
    return Node(
        package="hilserl_franka",
        executable="franka_arm",
        name=name,
        namespace=values["namespace"],
        parameters=[str(robot_file)],
        output="screen",
    )


def _spawner(values: dict[str, str], robot_file: Path, controller: str, *, inactive: bool) -> Node:
    return Node(
        package="controller_manager",
        executable="spawner",
        namespace=values["namespace"],
        arguments=[
            controller,
            "--param-file",
            str(robot_file),
            *(["--inactive"] if inactive else []),
            *_remaps(controller),
        ],
    )


def _remaps(controller: str) -> list[str]:
    """One arm of several: left_controller takes its targets at left/cartesian_controller."""
    arm = controller.removesuffix("_controller")
    if arm in ("cartesian", controller):
        return []
    return [
        word
        for topic in TOPICS
        for word in ("--controller-ros-args", f"-r ~/{topic}:={arm}/cartesian_controller/{topic}")
    ]
