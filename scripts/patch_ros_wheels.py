# SPDX-License-Identifier: Apache-2.0
"""Make the CMake exports of the ROS message wheels point at this Python.

The wheels are built in a manylinux container, and their ``*__rosidl_generator_pyExport.cmake`` files name
that container's Python and numpy include directories. CMake then stops with "Imported target includes
non-existent path". This script rewrites both to the running interpreter's. Running it twice changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

_NUMPY_INCLUDE = re.compile(r"/opt/python/[^;\"]*/numpy/(?:_core|core)/include")
_PYTHON_INCLUDE = re.compile(r"/opt/python/[^;\"/]*/include/python3\.\d+")


def patched(text: str, python_include: str, numpy_include: str) -> str:
    """Return `text` with the container's include directories replaced by the given ones."""
    text = _NUMPY_INCLUDE.sub(lambda _: numpy_include, text)
    return _PYTHON_INCLUDE.sub(lambda _: python_include, text)


def main() -> int:
    """Patch every export file below this environment's ``share`` folder and report how many changed."""
    python_include, numpy_include = sysconfig.get_paths()["include"], numpy.get_include()
    files = sorted(Path(sys.prefix, "share").glob("*/cmake/*__rosidl_generator_pyExport.cmake"))
    changed = 0
    for file in files:
        before = file.read_text()
        after = patched(before, python_include, numpy_include)
        if after != before:
            file.write_text(after)
            changed += 1
    print(f"patched {changed} of {len(files)} CMake exports")
    return 0


if __name__ == "__main__":
    sys.exit(main())
