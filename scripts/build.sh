#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# colcon build of the workspace; returns at once when nothing that needs a build has changed.
# Python modules are linked into the install folder, so editing one needs no build.
# Arguments are passed on to `colcon build` (and always build), e.g. --packages-select hilserl_control.
set -eo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
stamp=install/.hilserl_stamp

# What a build depends on: build files, interfaces, C++ and binding sources by content; everything installed, and every
# Python module, by name.
fingerprint() {
    {
        cat "${VIRTUAL_ENV}/hilserl.stamp" colcon.meta
        find src -type f \( -name package.xml -o -name setup.py -o -name setup.cfg -o -name CMakeLists.txt -o -name '*.cmake' \
            -o -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.msg' -o -name '*.srv' -o -name '*.action' \) -print0 |
            sort -z | xargs -0 -r sha256sum
        { find src config launch -type f -not -name '*.pyc' -not -path '*/test/*' -not -path '*/.*' 2>/dev/null || true; } | sort
    } | sha256sum | cut -d' ' -f1
}

source scripts/env.sh
mkdir -p build
exec 9>build/.lock
flock 9  # two builds at once would destroy each other
now=$(fingerprint)
if [ $# = 0 ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
    exit 0
fi
# The installed overlay must not shadow what is being built.
unset PYTHONPATH COLCON_PREFIX_PATH
export MAKEFLAGS=${MAKEFLAGS:--j$(nproc)}
export PYTHONWARNINGS=ignore
# ros2_control comes with ROS from apt; among the wheels of the package index it is missing.
skip=()
if [ -z "$(for prefix in ${AMENT_PREFIX_PATH//:/ }; do ls -d "$prefix/share/controller_interface" 2>/dev/null; done)" ]; then
    echo "hilserl_controllers: skipped, ros2_control is not installed (it comes with ROS from apt)"
    skip=(--packages-skip hilserl_controllers)
fi
echo "Building the workspace (the first time two to four minutes: message type support is generated)"
colcon build --symlink-install --base-paths src "${skip[@]}" "$@" || {
    echo "build: failed. The whole output is in log/latest_build/<package>/stdout_stderr.log" >&2
    exit 1
}
[ $# != 0 ] || echo "$now" >"$stamp"
