# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about demonstrations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hilserl_task.section import Section

Gate = Literal["either", "person", "classifier", "both"]


class DemonstrationSpec(Section):
    """How demonstrations are recorded. Their number is `learner.demonstration_count`."""

    gate: Gate = Field(
        "either",
        description="who says that an episode succeeded: either ends it; person: the button alone (no "
        "classifier needed); classifier: it alone; both: the button, if the classifier agrees at that step",
    )

    @property
    def classifier_ends(self) -> bool:
        """The classifier's success ends an episode."""
        return self.gate in ("either", "classifier")

    @property
    def button_ends(self) -> bool:
        """The person's success button ends an episode."""
        return self.gate != "classifier"

    @property
    def needs_classifier(self) -> bool:
        """Steps wait for the classifier's judgement."""
        return self.gate != "person"
