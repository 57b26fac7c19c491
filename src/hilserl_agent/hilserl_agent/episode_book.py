# SPDX-License-Identifier: Apache-2.0
"""Puts the parts of an episode together: observation, executed action and reward, in any order of arrival.

Free of ROS and torch. Step k is closed when executed action k, observation k+1 and (where there is a
reward) reward k+1 are in; steps close in order. One book holds one episode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from hilserl_task.gripper import GripperPenalty

HUMAN = 1  # hilserl_msgs/Action.SOURCE_HUMAN


class Event(Enum):
    """Button edges of a step; values of hilserl_msgs/Action.EVENT_*."""

    NONE = 0
    SUCCESS = 1
    FAILURE = 2
    DISCARD = 3


class Ending(Enum):
    """Why an episode ended; values of hilserl_msgs/EpisodeSummary.TERMINATION_*."""

    REWARD = 1
    TIMEOUT = 2
    OPERATOR = 3
    FAULT = 4


class Outcome(Enum):
    """Whether the task was done; values of hilserl_msgs/EpisodeSummary.OUTCOME_*."""

    UNLABELLED = 0
    SUCCESS = 1
    FAILURE = 2


@dataclass(frozen=True)
class Frame:
    """One observation.

    Attributes:
        step: 0 is the first after the reset.
        state: float32 (n,), hilserl_task.spaces.
        images: uint8 (cameras, H, W, 3), rgb.
        features: float32 (f,) of the frozen perception, f may be 0.
    """

    step: int
    state: NDArray[np.float32]
    images: NDArray[np.uint8]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Executed:
    """What the mux made of a policy action: values float32 (a,), who decided, button edge."""

    values: NDArray[np.float32]
    source: int
    event: Event = Event.NONE


@dataclass(frozen=True)
class ClosedStep:
    """A complete transition. `terminated` stops bootstrapping, `truncated` does not."""

    frame: Frame
    executed: Executed
    next_frame: Frame
    reward: float
    terminated: bool
    truncated: bool
    grasp_penalty: float = 0.0

    @property
    def last(self) -> bool:
        """No step of this episode follows."""
        return self.terminated or self.truncated


@dataclass(frozen=True)
class Rules:
    """What ends an episode.

    Attributes:
        max_steps: actions in an episode at most.
        use_reward: steps wait for a reward; false where no reward node runs (label collection).
        reward_ends: the classifier's success ends the episode; false where a person alone decides.
        success_button: the operator's success button counts as success. False where the classifier alone
            decides, and in label collection, where the button marks frames.
    """

    max_steps: int
    use_reward: bool = True
    reward_ends: bool = True
    success_button: bool = False


@dataclass
class EpisodeBook:
    """Parts of one episode as they arrive, and what they amount to.

    `gripper_penalty`, of this episode, prices the changes of learned grippers; None: there is none.
    """

    rules: Rules
    gripper_penalty: GripperPenalty | None = None
    steps: int = 0
    intervention_steps: int = 0
    interventions: int = 0
    episode_return: float = 0.0
    ending: Ending | None = None
    outcome: Outcome = Outcome.UNLABELLED
    discarded: bool = False
    _frames: dict[int, Frame] = field(default_factory=dict)
    _executed: dict[int, Executed] = field(default_factory=dict)
    _success: dict[int, bool] = field(default_factory=dict)
    _previous_source: int = -1

    def add_frame(self, frame: Frame) -> list[ClosedStep]:
        """Takes observation k; returns the steps it closes, in order."""
        self._frames.setdefault(frame.step, frame)
        return self._close()

    def add_executed(self, step: int, executed: Executed) -> list[ClosedStep]:
        """Takes executed action k; returns the steps it closes."""
        self._executed.setdefault(step, executed)
        return self._close()

    def add_reward(self, step: int, success: bool) -> list[ClosedStep]:
        """Takes the judgement of observation k; returns the steps it closes."""
        self._success.setdefault(step, success)
        return self._close()

    def finish(self, ending: Ending) -> None:
        """Ends the episode from outside (a fault). What is open stays out of the data."""
        if self.ending is None:
            self.ending = ending
            self.discarded = True

    def frame(self, step: int) -> Frame | None:
        """Observation k, if it has arrived and may still be needed."""
        return self._frames.get(step)

    def missing(self, step: int) -> list[str]:
        """Parts that step k still lacks, for messages."""
        parts = {"executed_action": step in self._executed, "observation": step + 1 in self._frames}
        if self.rules.use_reward:
            parts["reward"] = step + 1 in self._success
        return [name for name, there in parts.items() if not there]

    def _close(self) -> list[ClosedStep]:
        closed = []
        while self.ending is None and self.steps in self._frames and not self.missing(self.steps):
            closed.append(self._close_one(self.steps))
        return closed

    def _close_one(self, step: int) -> ClosedStep:
        frame, executed = self._frames.pop(step), self._executed.pop(step)
        success = self._success.pop(step + 1, False)
        terminated, truncated = self._judge(step, success, executed.event)
        self.steps += 1
        self._count(executed.source)
        reward = 1.0 if self.outcome is Outcome.SUCCESS else 0.0
        self.episode_return += reward
        penalty = 0.0 if self.gripper_penalty is None else self.gripper_penalty.of(executed.values)
        return ClosedStep(frame, executed, self._frames[step + 1], reward, terminated, truncated, penalty)

    def _judge(self, step: int, success: bool, event: Event) -> tuple[bool, bool]:
        """Ends the episode where it ends; returns (terminated, truncated).

        A person sees more than the classifier: a discard or a failure outweighs its success.
        """
        if event is Event.DISCARD:
            self.discarded = True
            return self._end(Ending.OPERATOR, Outcome.UNLABELLED, terminated=False)
        if event is Event.FAILURE:  # nothing is to be had from here on, so nothing is bootstrapped
            return self._end(Ending.OPERATOR, Outcome.FAILURE, terminated=True)
        if success and self.rules.reward_ends:
            return self._end(Ending.REWARD, Outcome.SUCCESS, terminated=True)
        if event is Event.SUCCESS and self.rules.success_button:
            return self._end(Ending.OPERATOR, Outcome.SUCCESS, terminated=True)
        if step + 1 >= self.rules.max_steps:
            judged = self.rules.use_reward or self.rules.success_button
            outcome = Outcome.FAILURE if judged else Outcome.UNLABELLED
            return self._end(Ending.TIMEOUT, outcome, terminated=False)
        return False, False

    def _end(self, ending: Ending, outcome: Outcome, terminated: bool) -> tuple[bool, bool]:
        self.ending, self.outcome = ending, outcome
        return terminated, not terminated

    def _count(self, source: int) -> None:
        if source == HUMAN:
            self.intervention_steps += 1
            self.interventions += self._previous_source != HUMAN
        self._previous_source = source
