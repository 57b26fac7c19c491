#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All static checks. Runs every one, even after a failure, and fails if any did.
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
source scripts/env.sh || exit 1
failed=()

check() {
    local name=$1
    shift
    echo "-- $name"
    "$@" || failed+=("$name")
}

licence_headers() {
    local file missing=0
    while IFS= read -r file; do
        if [ -s "$file" ] && ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
            echo "$file: the SPDX-License-Identifier: Apache-2.0 line is missing"
            missing=1
        fi
    done < <(git ls-files -- '*.py' '*.sh' '*.cpp' '*.hpp' '*.h')
    return $missing
}

# Every ament_python package by its import name, so that one module has one name.
types() {
    local folder name path="" names=()
    for folder in src/*/; do
        name=$(basename "$folder")
        if [ -f "$folder$name/__init__.py" ]; then
            path+=:$folder
            names+=(-p "$name")
        fi
    done
    PYTHONPATH='' MYPYPATH=${path#:} mypy "${names[@]}"
}

cpp_format() {
    local files
    files=$(git ls-files -- '*.cpp' '*.hpp' '*.h')
    # shellcheck disable=SC2086  # a list of words
    [ -z "$files" ] || clang-format --dry-run --Werror $files
}

check "ruff" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "mypy" types
check "clang-format" cpp_format
check "licence headers" licence_headers

if [ ${#failed[@]} != 0 ]; then
    echo "lint: failed: $(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
