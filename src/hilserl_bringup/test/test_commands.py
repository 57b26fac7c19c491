# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import yaml

from hilserl_bringup.commands import ExecutableNotFound, command, launch_kwargs
from hilserl_bringup.node_specs import NodeSpec, RunContext, graph_specs, phase_names
from hilserl_task import load_task

TRICKY = {"task": "it's: a #name", "overrides": ["a.b=[1, 2]", "c=yes"], "rate": 10.0, "on": True, "seed": 0}


def test_a_node_gets_its_name_namespace_and_parameters(prefix, tmp_path):
    program = prefix("node", "")
    spec = NodeSpec("pkg", "node", "left_node", "/left", TRICKY)
    line = command(spec, tmp_path / "parameters")
    file = tmp_path / "parameters" / "left_node.yaml"
    assert line == [
        *(str(program), "--ros-args", "-r", "__node:=left_node", "-r", "__ns:=/left"),
        *("--params-file", str(file)),
    ]
    assert yaml.safe_load(file.read_text()) == {"/**": {"ros__parameters": TRICKY}}


def test_ros_reads_the_parameter_file_as_written(prefix, tmp_path):
    rclpy = pytest.importorskip("rclpy")
    prefix("node", "")
    line = command(NodeSpec("pkg", "node", "node", "/", TRICKY), tmp_path)
    context = rclpy.Context()
    rclpy.init(args=line, context=context)
    node = rclpy.create_node("other", context=context, automatically_declare_parameters_from_overrides=True)
    try:
        assert node.get_name() == "node"
        assert {key: node.get_parameter(key).value for key in TRICKY} == TRICKY
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_an_offline_step_gets_options(prefix, tmp_path):
    program = prefix("fit", "")
    parameters = {"task": "t", "run_dir": "/r", "seed": 4, "overrides": ["a=1", "b=2"]}
    line = command(NodeSpec("pkg", "fit", "fit", parameters=parameters, offline=True), tmp_path)
    assert line == [
        *(str(program), "--task", "t", "--run-dir", "/r", "--seed", "4"),
        *("--set", "a=1", "--set", "b=2"),
    ]


def test_a_missing_executable_says_how_to_get_it(prefix, tmp_path):
    with pytest.raises(ExecutableNotFound, match=r"pkg/absent.*make build"):
        command(NodeSpec("pkg", "absent", "absent"), tmp_path)


@pytest.mark.parametrize("phase", phase_names())
def test_launch_and_runner_start_the_same(phase, tmp_path, monkeypatch):
    """Every argument that launch_ros would pass on is the one in the runner's command line."""
    context = RunContext("ram_insertion", Path("runs/x"), 5, ("episode.max_steps=7",))
    specs = graph_specs(load_task("ram_insertion"), phase, context)
    install_all(specs, tmp_path / "prefix", monkeypatch)
    for spec in specs:
        line = command(spec, tmp_path / "parameters")
        kwargs = launch_kwargs(spec)
        if spec.offline:
            assert kwargs["cmd"] == line
            continue
        assert line[0].endswith(f"lib/{kwargs['package']}/{kwargs['executable']}")
        assert f"__node:={kwargs['name']}" in line
        assert f"__ns:={kwargs['namespace']}" in line
        written = yaml.safe_load(Path(line[-1]).read_text())["/**"]["ros__parameters"]
        assert kwargs["parameters"] == [written]
        assert kwargs.get("respawn", False) == spec.respawn
        assert "respawn_max_retries" not in kwargs, "launch counts for ever and would go on without the node"


def install_all(specs, prefix, monkeypatch):
    for spec in specs:
        path = prefix / "lib" / spec.package / spec.executable
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(prefix))
