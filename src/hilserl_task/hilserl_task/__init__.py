# SPDX-License-Identifier: Apache-2.0
"""The task file, frames, observation and action spaces. Imports neither ROS nor torch."""

from hilserl_task.errors import TaskError
from hilserl_task.loader import available_tasks, load_task
from hilserl_task.schema import Task

__all__ = ["Task", "TaskError", "available_tasks", "load_task"]
