# SPDX-License-Identifier: Apache-2.0
"""Decides, once per observation, whether policy, person or nobody moves the arm. No ROS in here.

A decision needs the observation it is about and the policy's wish for exactly that observation; with a
person who answers every observation (scripted, lockstep) also the stick and buttons of that observation.
They may arrive in any order; the decision is the same.

In realtime the world does not wait. A wish that comes after the next observation is answered by standing
still, so that every policy action has its answer; and nothing moves from a pose that is no longer true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from hilserl_intervention.buttons import Buttons, Event
from hilserl_task import Task
from hilserl_task.action_codec import action_from_stick, check_action, target_pose
from hilserl_task.frames import Array

ARM_ACTION = 6
NS_PER_S = 1e9
# An observation answered within two periods is normal; from an older one nothing moves.
FRESH_PERIODS = 2.0


class Source(IntEnum):
    """Who decided; values as in hilserl_msgs/Action."""

    POLICY = 0
    HUMAN = 1
    HOLD = 2


@dataclass(frozen=True)
class Observed:
    """The part of an observation a decision needs; one 4x4 pose an arm."""

    episode: int
    step: int
    stamp_ns: int
    base_T_tcp: tuple[Array, ...]

    @property
    def key(self) -> tuple[int, int]:
        """(episode, step)."""
        return self.episode, self.step


@dataclass(frozen=True)
class Wish:
    """What the policy asks for; the stamp is that of the observation it answers, 0 when unknown."""

    episode: int
    step: int
    values: tuple[float, ...]
    policy_version: int = 0
    stamp_ns: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """(episode, step)."""
        return self.episode, self.step


@dataclass(frozen=True)
class Decision:
    """What is executed.

    Attributes:
        values: normalized action in the tcp frame, as executed and as stored.
        policy_values: what the policy asked for; zeros when that was unusable.
        base_T_target: one 4x4 pose an arm; empty: no new target, the controller's stale-target rule holds.
    """

    observed: Observed
    source: Source
    values: Array
    policy_values: Array
    policy_version: int
    event: Event
    success_pressed: bool
    base_T_target: tuple[Array, ...]


class Mux:
    """The decision core.

    Args:
        task: validated task.
        answered_stick: the person answers every observation with stick and buttons of the same stamp, and
            the decision waits for both. False: the newest reading counts, if it is young enough.
        warn: takes a message about input that was refused.
    """

    def __init__(self, task: Task, answered_stick: bool, warn: Callable[[str], None]) -> None:
        self._task, self._answered, self._warn = task, answered_stick, warn
        self._realtime = task.pacing == "realtime"
        self.enabled = True
        self.forced = False
        self.human_active = False
        self._buttons = Buttons()
        self._observed: Observed | None = None
        self._past: deque[Observed] = deque(maxlen=task.episode.max_steps + 1)  # realtime, this episode
        self._wish: Wish | None = None
        self._decided: tuple[int, int] | None = None
        self._stick = np.zeros(ARM_ACTION)
        self._stick_ns: int | None = None
        self._joy_ns: int | None = None
        self._deflected_ns: int | None = None

    @property
    def observed(self) -> Observed | None:
        """The newest observation."""
        return self._observed

    def observe(self, observed: Observed, device_ns: int) -> None:
        """Takes the newest observation; an older one than known is refused.

        Step 0 with a newer stamp always begins anew: another evaluation may count its episodes from 0 again.

        Args:
            device_ns: present time on the clock of stick and buttons.
        """
        known = self._observed
        restart = known is None or (observed.step == 0 and observed.stamp_ns > known.stamp_ns)
        if known is not None and not restart and observed.key <= known.key:
            if observed.key != known.key:  # the same observation twice is a retransmission
                self._warn(f"observation comes late: {observed.key} after {known.key}")
            return
        if known is None or restart or observed.episode != known.episode:
            self._begin(observed, device_ns)
        elif self._realtime:
            self._past.append(known)
        self._observed = observed

    def _begin(self, observed: Observed, device_ns: int) -> None:
        """Forgets what belongs to the episode before."""
        self._past.clear()
        self._decided = None
        wish = self._wish
        if wish is not None and (wish.key != observed.key or 0 < wish.stamp_ns < observed.stamp_ns):
            self._wish = None
        if self._joy_ns is not None and self._joy_ns < device_ns:
            self._buttons.take_event()  # a press while nothing ran does not end what begins now

    def wish(self, wish: Wish) -> None:
        """Takes the policy's wish. One for an observation that was answered is refused."""
        if self._answered_already(wish):
            if wish.key != self._decided:  # the same wish twice is a retransmission, not worth a word
                self._warn(f"policy action is late: {wish.key}, but {self._decided} was answered already")
            return
        self._wish = wish

    def _answered_already(self, wish: Wish) -> bool:
        """A low number with a newer stamp is of a run whose step 0 is still under way to us."""
        if self._decided is None or self._observed is None or wish.key > self._decided:
            return False
        return wish.stamp_ns <= self._observed.stamp_ns

    def stick(self, stamp_ns: int, deflection: ArrayLike) -> None:
        """Takes a stick reading (6,), unit range; an unusable one counts as neutral."""
        try:
            self._stick = check_action(deflection, ARM_ACTION)
        except ValueError as error:
            self._warn(f"stick: {error}")
            self._stick = np.zeros(ARM_ACTION)
        self._stick_ns = stamp_ns
        if np.abs(self._stick).max() > self._task.operator.deadband:
            self._deflected_ns = stamp_ns

    def joy(self, stamp_ns: int, levels: list[int]) -> None:
        """Takes button levels."""
        self._buttons.update(levels)
        self._joy_ns = stamp_ns

    def fresh(self, clock_ns: int) -> bool:
        """Whether the newest observation still tells where the arm is: in lockstep always, the world waits.

        Args:
            clock_ns: present time on the clock of the observations.
        """
        if self._observed is None:
            return False
        limit_s = self._task.observation.max_age_s + FRESH_PERIODS * self._task.period_s
        return not self._realtime or clock_ns - self._observed.stamp_ns <= limit_s * NS_PER_S

    def decide(self, device_ns: int, clock_ns: int) -> Decision | None:
        """The decision about the observation the wish is for, once, as soon as everything it needs is in.

        Args:
            device_ns: present time on the clock of stick and buttons.
            clock_ns: present time on the clock of the observations.
        """
        observed, wish = self._observed, self._wish
        if observed is None or wish is None or (self._decided is not None and wish.key <= self._decided):
            return None
        if wish.key != observed.key:
            past = next((past for past in self._past if past.key == wish.key), None)
            if past is None:
                return None
            self._warn(f"policy action is late: {wish.key} while {observed.key} is known; not moving")
            return self._stand_still(past, wish, device_ns)
        if self._answered and not (self._stick_ns == self._joy_ns == observed.stamp_ns):
            return None
        if not self.fresh(clock_ns):
            age_s = (clock_ns - observed.stamp_ns) / NS_PER_S
            self._warn(f"observation is stale; not moving: {age_s:.2f} s old when the policy answered")
            return self._stand_still(observed, wish, device_ns)
        self._forget_silent_device(device_ns)
        policy_values = self._usable(wish)
        source, values = self._choose(observed, policy_values, device_ns)
        return self._decision(observed, wish, policy_values, source, values, self._targets(observed, values))

    def _stand_still(self, observed: Observed, wish: Wish, device_ns: int) -> Decision:
        """An answer without a movement: any target would be made of an old pose."""
        self._forget_silent_device(device_ns)
        return self._decision(
            observed, wish, self._usable(wish), Source.HOLD, np.zeros(self._task.action_dim), ()
        )

    def _decision(
        self,
        observed: Observed,
        wish: Wish,
        policy_values: Array | None,
        source: Source,
        values: Array,
        targets: tuple[Array, ...],
    ) -> Decision:
        self._decided, self._wish = wish.key, None
        self.human_active = source is Source.HUMAN
        return Decision(
            observed=observed,
            source=source,
            values=values,
            policy_values=np.zeros(self._task.action_dim) if policy_values is None else policy_values,
            policy_version=wish.policy_version,
            event=self._buttons.take_event(),
            success_pressed=self._buttons.success_pressed,
            base_T_target=targets,
        )

    def _choose(
        self, observed: Observed, policy_values: Array | None, device_ns: int
    ) -> tuple[Source, Array]:
        """A person who is let in and holds the stick comes first, then the policy, then standing still."""
        if self.enabled and (self.forced or self._person_acts(device_ns)):
            values = np.zeros(self._task.action_dim)
            # One stick moves the first arm; the other stands still meanwhile.
            values[:ARM_ACTION] = action_from_stick(
                observed.base_T_tcp[0], self._stick, self._task.operator.frame
            )
            return Source.HUMAN, values
        if policy_values is None:
            return Source.HOLD, np.zeros(self._task.action_dim)
        return Source.POLICY, policy_values

    def _person_acts(self, device_ns: int) -> bool:
        """The stick is out of its dead-band, or was so within the hold time."""
        if self._deflected_ns is None:
            return False
        if np.abs(self._stick).max() > self._task.operator.deadband:
            return True
        return (
            self._task.operator.hold_s > 0
            and device_ns - self._deflected_ns <= self._task.operator.hold_s * NS_PER_S
        )

    def _forget_silent_device(self, device_ns: int) -> None:
        """A device that fell silent (unplugged, dead driver) must not go on steering."""
        limit = self._task.operator.timeout_s * NS_PER_S
        if self._stick_ns is not None and device_ns - self._stick_ns > limit:
            self._stick, self._stick_ns, self._deflected_ns = np.zeros(ARM_ACTION), None, None
        if self._joy_ns is not None and device_ns - self._joy_ns > limit:
            self._buttons.release()
            self._joy_ns = None

    def _usable(self, wish: Wish) -> Array | None:
        """The policy's action, or None with a warning."""
        try:
            return check_action(wish.values, self._task.action_dim)
        except ValueError as error:
            self._warn(f"policy {error}; holding the pose")
            return None

    def _targets(self, observed: Observed, values: Array) -> tuple[Array, ...]:
        """The only place where an action becomes a pose in the base frame."""
        arms = zip(self._task.arms, observed.base_T_tcp, strict=True)
        return tuple(
            target_pose(base_T_tcp, values[ARM_ACTION * i : ARM_ACTION * (i + 1)], arm.action)
            for i, (arm, base_T_tcp) in enumerate(arms)
        )
