# SPDX-License-Identifier: Apache-2.0
"""The one place where the Qt binding is decided: rqt's where rqt is installed, else PySide6.

pyqtgraph takes the binding that is imported already, so it is imported here, after it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

# pyqtgraph would believe this variable rather than its eyes, and two Qts in a process crash.
os.environ.pop("PYQTGRAPH_QT_LIB", None)


if find_spec("python_qt_binding") is not None:
    from python_qt_binding import QtCore, QtGui, QtWidgets
elif find_spec("PySide6") is not None:
    from PySide6 import QtCore, QtGui, QtWidgets
else:
    raise ImportError(
        "dashboard: no Qt for Python is installed; install rqt (apt: ros-jazzy-rqt-gui-py) or "
        "PySide6 (pip install PySide6_Essentials)"
    )

import pyqtgraph  # after the binding

Qt = QtCore.Qt

__all__ = ["Qt", "QtCore", "QtGui", "QtWidgets", "pyqtgraph"]
