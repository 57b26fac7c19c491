# SPDX-License-Identifier: Apache-2.0
"""The one place where the Qt binding is decided: rqt's where rqt is installed, else PySide6.

pyqtgraph takes the binding that is imported already, so it is imported here, after it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec

# pyqtgraph would believe this variable rather than its eyes, and two Qts in a process crash.
os.environ.pop("PYQTGRAPH_QT_LIB", None)


def _keep_singletons() -> None:
    """PySide6 6.12.0 returns None, True and False without counting the reference.

    Harmless from Python 3.12 on, where they are immortal (PEP 683). Before, every call of a Qt method takes
    one reference of None away, and Python ends with "deallocating None" after some ten thousand calls. A
    large count makes them immortal here too. PySide6 6.11.3 counts correctly.
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
    raise ImportError(
        "dashboard: no Qt for Python is installed; install rqt (apt: ros-jazzy-rqt-gui-py) or "
        "PySide6 (pip install PySide6_Essentials)"
    )

import pyqtgraph  # noqa: E402  after the binding

Qt = QtCore.Qt

__all__ = ["Qt", "QtCore", "QtGui", "QtWidgets", "pyqtgraph"]
