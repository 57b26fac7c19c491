# SPDX-License-Identifier: Apache-2.0
"""Where this package decides on the Qt binding: rqt's where rqt is installed, else PySide6."""

from __future__ import annotations

from importlib.util import find_spec

from hilserl_task import TaskError

if find_spec("python_qt_binding") is not None:
    from python_qt_binding import QtCore, QtGui, QtWidgets
elif find_spec("PySide6") is not None:
    from PySide6 import QtCore, QtGui, QtWidgets
else:
    raise TaskError(
        "crop: no Qt for Python is installed; install PySide6 (pip install PySide6_Essentials) or rqt (apt: "
        "ros-jazzy-rqt-gui-py), or give the region with --set left,top,right,bottom"
    )

__all__ = ["QtCore", "QtGui", "QtWidgets"]
