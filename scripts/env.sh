# SPDX-License-Identifier: Apache-2.0
# Source from bash: virtual environment, ROS 2 Jazzy and, once built, the workspace overlay.
#   source scripts/env.sh

_hilserl_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
_hilserl_venv=${HILSERL_VENV:-$_hilserl_root/.venv}
if [ ! -f "$_hilserl_venv/hilserl.ros" ]; then
    echo "hilserl: $_hilserl_venv is not set up. Run: make setup" >&2
    return 1
fi

# shellcheck disable=SC1091
source "$_hilserl_venv/bin/activate"

if [ "$(cat "$_hilserl_venv/hilserl.ros")" = apt ]; then
    # Jazzy's own set-up reads variables that may be unset, and puts its prefix on all paths.
    # shellcheck disable=SC1091
    source /opt/ros/jazzy/setup.sh
else
    # The wheels make the virtual environment one ROS prefix. Their bootstrapper would re-execute Python only to set
    # LD_LIBRARY_PATH; setting it here saves that, for every child process as well.
    _hilserl_libraries=$VIRTUAL_ENV/lib
    for _hilserl_folder in "$VIRTUAL_ENV"/lib/python3.*/site-packages/ros_*.libs; do
        _hilserl_libraries+=:$_hilserl_folder
    done
    case ":${LD_LIBRARY_PATH:-}:" in
        *":$_hilserl_libraries:"*) ;;
        *) export LD_LIBRARY_PATH=$_hilserl_libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;
    esac
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    export AMENT_PREFIX_PATH=$VIRTUAL_ENV CMAKE_PREFIX_PATH=$VIRTUAL_ENV
    export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
fi

# One thread a process: a graph of many processes shares the cores, and spinning OpenMP threads would eat them.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0
export LP_NUM_THREADS=${LP_NUM_THREADS:-1}
export MUJOCO_GL=${MUJOCO_GL:-$(cat "$_hilserl_venv/mujoco_gl")}
export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
export RCUTILS_LOGGING_USE_STDOUT=0 RCUTILS_COLORIZED_OUTPUT=${RCUTILS_COLORIZED_OUTPUT:-0}
export RCUTILS_CONSOLE_OUTPUT_FORMAT=${RCUTILS_CONSOLE_OUTPUT_FORMAT:-'[{severity}] [{time}] [{name}]: {message}'}

if [ -f "$_hilserl_root/install/local_setup.bash" ]; then
    # shellcheck disable=SC1091
    source "$_hilserl_root/install/local_setup.bash"
fi
unset _hilserl_root _hilserl_venv _hilserl_libraries _hilserl_folder
