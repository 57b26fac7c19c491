# SPDX-License-Identifier: Apache-2.0
"""What people can ask of an actor: services `~/pause` and `~/evaluate`."""

from __future__ import annotations

from collections.abc import Callable

from std_srvs.srv import SetBool

from hilserl_agent.actor_stage import Stage
from hilserl_agent.training_trials import TrainingTrials
from hilserl_msgs.srv import Evaluate
from hilserl_ros import topics
from hilserl_ros.node import HilserlNode


class ActorDesk:
    """Answers at once; the actor acts on it between two episodes.

    Attributes:
        paused: no episode begins. Within one the arm is not held: a policy that stands still would be data,
            and in realtime the world goes on anyway. What has to stop at once is stopped at the controller.

    Args:
        node: the actor.
        trials: evaluations in the middle of training; None outside training.
        where: stage and number of the episode.
        go_on: called when a pause in effect is over.
    """

    def __init__(
        self,
        node: HilserlNode,
        trials: TrainingTrials | None,
        where: Callable[[], tuple[Stage, int]],
        go_on: Callable[[], None],
    ) -> None:
        self._node, self._trials, self._where, self._go_on = node, trials, where, go_on
        self.paused = False
        node.create_service(SetBool, topics.PAUSE, self._pause)
        node.create_service(Evaluate, topics.EVALUATE, self._evaluate)

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.paused, response.success = bool(request.data), True
        stage, episode = self._where()
        if not request.data:
            response.message = "goes on"
            if stage is Stage.PAUSED:
                self._go_on()
        elif stage in (Stage.RUNNING, Stage.RESETTING):
            response.message = f"pauses when episode {episode} is over"
        else:
            response.message = "paused"
        return response

    def _evaluate(self, request: Evaluate.Request, response: Evaluate.Response) -> Evaluate.Response:
        stage, _ = self._where()
        if self._trials is None:
            response.message = "only an actor in training can be asked for an evaluation; use: run evaluate"
        elif stage is Stage.FLUSHING:
            response.message = "training is over; evaluate with: make eval RUN=<run folder>"
        else:
            response.message = self._trials.ask(request, self._node.task.evaluation.episodes)
            response.accepted = not response.message
        if response.accepted:
            response.message = f"begins {'when the pause is over' if self.paused else 'after this episode'}"
        return response
