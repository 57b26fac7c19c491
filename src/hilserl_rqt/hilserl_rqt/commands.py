# SPDX-License-Identifier: Apache-2.0
"""What a person may ask of the graph: the services behind the buttons."""

from __future__ import annotations

from dataclasses import dataclass

from std_srvs.srv import SetBool, Trigger

from hilserl_msgs.srv import CorrectEpisode, Evaluate, OperatorEvent
from hilserl_ros import topics
from hilserl_rqt.discovery import Graph

ANSWER_S = 5.0  # a node answers between two callbacks; evaluation and saving answer before they begin
MUX, ACTOR, LEARNER, LABELS = "intervention_mux", "actor", "learner", "label_keeper"


@dataclass(frozen=True)
class Command:
    """A service.

    Attributes:
        key: unique name here.
        kind: service type.
        service: relative name; `~` is the node's.
        node: who serves it.
        of_learner: in the learner's namespace instead of the robot's.
    """

    key: str
    kind: type
    service: str
    node: str
    of_learner: bool = False

    def name(self, graph: Graph) -> str:
        """Absolute name in a graph."""
        relative = self.service.replace("~", self.node, 1)
        return graph.learner_name(relative) if self.of_learner else graph.name(relative)

    def missing(self, graph: Graph | None) -> str:
        """What to tell a person when nobody serves it."""
        if graph is None:
            return "No graph is running."
        return f"Node {self.node} is not running or does not serve {self.name(graph)}."


OPERATOR_EVENT = Command("operator_event", OperatorEvent, topics.OPERATOR_EVENT, MUX)
SET_ENABLED = Command("set_enabled", SetBool, topics.SET_ENABLED, MUX)
PAUSE_ACTOR = Command("pause_actor", SetBool, topics.PAUSE, ACTOR)
EVALUATE = Command("evaluate", Evaluate, topics.EVALUATE, ACTOR)
PAUSE_LEARNER = Command("pause_learner", Trigger, "learner/pause", LEARNER, of_learner=True)
RESUME_LEARNER = Command("resume_learner", Trigger, "learner/resume", LEARNER, of_learner=True)
SAVE = Command("save", Trigger, topics.LEARNER_SAVE, LEARNER, of_learner=True)
CORRECT = Command("correct", CorrectEpisode, topics.CORRECT_EPISODE, LABELS)

COMMANDS = (
    OPERATOR_EVENT,
    SET_ENABLED,
    PAUSE_ACTOR,
    EVALUATE,
    PAUSE_LEARNER,
    RESUME_LEARNER,
    SAVE,
    CORRECT,
)
