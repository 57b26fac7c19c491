#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of every package and those across packages. Arguments go to pytest, e.g. -m 'not slow'.
# Runs pytest and ctest even if the first fails, and fails if any did.
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
source scripts/env.sh || exit 1
result=0

# A domain of its own keeps the graphs of this run apart from others on the machine (Fast DDS: 0 to 101 are safe).
export ROS_DOMAIN_ID=${ROS_DOMAIN_ID:-$((51 + RANDOM % 50))}

folders=()
for folder in src/*/test tests; do
    [ -d "$folder" ] && folders+=("$folder")
done
echo "-- pytest"
python -m pytest "${folders[@]}" "$@" || result=1

for package in hilserl_control hilserl_controllers; do
    if [ -f "build/$package/CTestTestfile.cmake" ]; then
        echo "-- ctest of $package"
        ctest --test-dir "build/$package" --output-on-failure --no-tests=error || result=1
    fi
done
exit $result
