# SPDX-License-Identifier: Apache-2.0
"""The one error a wrong task description raises."""


class TaskError(ValueError):
    """A task file or override is unusable. The text names the key, the value, the rule and a good example."""
