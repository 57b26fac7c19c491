# SPDX-License-Identifier: Apache-2.0
"""What is installed works for those who use it: the benchmark and find_package(hilserl_control)."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def prefix() -> Path:
    """Install prefix of this package."""
    marker = Path("share/ament_index/resource_index/packages/hilserl_control")
    for folder in os.environ.get("AMENT_PREFIX_PATH", "").split(":"):
        if (Path(folder) / marker).is_file():
            return Path(folder)
    pytest.fail("hilserl_control is not on AMENT_PREFIX_PATH: source scripts/env.sh after a build")


def test_benchmark_prints_one_json_line():
    program = prefix() / "lib/hilserl_control/bench_update"
    result = subprocess.run([program, "2000"], capture_output=True, text=True, check=True, timeout=60)
    numbers = json.loads(result.stdout)
    assert numbers["cycles"] == 2000
    assert 0 < numbers["median_us"] <= numbers["p999_us"] <= numbers["max_us"]


def test_benchmark_refuses_nonsense():
    program = prefix() / "lib/hilserl_control/bench_update"
    result = subprocess.run([program, "many"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "usage" in result.stderr


@pytest.mark.slow
def test_another_package_builds_against_it(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(user LANGUAGES CXX)\nset(CMAKE_CXX_STANDARD 17)\n"
        "find_package(hilserl_control REQUIRED)\nadd_executable(user main.cpp)\n"
        "target_link_libraries(user hilserl_control::hilserl_control)\n"
    )
    (tmp_path / "main.cpp").write_text(
        "#include <hilserl_control/cartesian_impedance.hpp>\n"
        "int main() { hilserl_control::CartesianImpedance law{hilserl_control::ControllerConfig()};\n"
        "return law.joints() == 7 ? 0 : 1; }\n"
    )
    build = tmp_path / "build"
    for command in (
        [
            "cmake",
            "-S",
            tmp_path,
            "-B",
            build,
            f"-DCMAKE_PREFIX_PATH={prefix()};{os.environ.get('CMAKE_PREFIX_PATH', '')}",
        ],
        ["cmake", "--build", build],
        [build / "user"],
    ):
        result = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert result.returncode == 0, result.stdout + result.stderr
