# SPDX-License-Identifier: Apache-2.0
"""Where this package decides on the Qt binding: rqt's where rqt is installed, else PySide6."""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec

from hilserl_task import TaskError


def _keep_singletons() -> None:
    """PySide6 6.12.0 returns None, True and False without counting the reference.

    Harmless from Python 3.12 on, where they are immortal (PEP 683). Before, Python ends with "deallocating
    None" after some ten thousand calls, a few minutes of live pictures. A large count does the same.
    """
    for value in (None, True, False, NotImplemented, Ellipsis):
        ctypes.c_ssize_t.from_address(id(value)).value += 1 << 40


if find_spec("python_qt_binding") is not None:
    from python_qt_binding import QtCore, QtGui, QtWidgets
elif find_spec("PySide6") is not None:
    from PySide6 import QtCore, QtGui, QtWidgets
    from PySide6 import __version__ as _version

    if _version.startswith("6.12.") and sys.version_info < (3, 12):
        _keep_singletons()
else:
    raise TaskError(
        "crop: no Qt for Python is installed; install PySide6 (pip install PySide6_Essentials) or rqt (apt: "
        "ros-jazzy-rqt-gui-py), or give the region with --set left,top,right,bottom"
    )

__all__ = ["QtCore", "QtGui", "QtWidgets"]
