# SPDX-License-Identifier: Apache-2.0
"""Decides, once per observation, whether policy, person or nobody moves each arm. No ROS in here.

A decision needs the observation it is about and the policy's wish for exactly that observation; with a
person who answers every observation (scripted, lockstep) also the stick and buttons of that observation.
They may arrive in any order; the decision is the same.

In realtime the world does not wait. A wish that comes after the next observation, or after the end of its
episode, is answered by standing still, so that every policy action has its answer; and nothing moves from a
pose that is no longer true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hilserl_intervention.buttons import Buttons, Event
from hilserl_intervention.decision import Decision, Observed, Source, Wish, overall
from hilserl_intervention.device import NS_PER_S, Device, device_arms
from hilserl_task import Task
from hilserl_task.action_codec import ArmTarget, arm_target, check_action, no_wrench, values_from_stick
from hilserl_task.action_layout import STICK_AXES, ArmValues
from hilserl_task.frames import Array
from hilserl_task.gripper import STAY, THRESHOLD, GripperState

# An observation answered within two periods is normal; from an older one nothing moves.
FRESH_PERIODS = 2.0


@dataclass
class _Arm:
    """What the mux knows of an arm: its place in the action, who may move it, and its learned gripper."""

    place: ArmValues
    devices: tuple[Device, ...]
    gripper: GripperState | None = None

    @property
    def stick(self) -> Array:
        """Deflection (6,) of the first device that is out of its dead-band."""
        deflected = (device.stick for device in self.devices if device.stick.any())
        return next(deflected, np.zeros(STICK_AXES))

    @property
    def position(self) -> float | None:
        """Commanded by a learned gripper; None: nothing is commanded yet."""
        return None if self.gripper is None or self.gripper.assumed else self.gripper.position


class Mux:
    """The decision core.

    Attributes:
        enabled: people may take over. Their buttons count all the same, except the gripper's.
        forced: the person has all arms even with a neutral stick.
        running: an episode is under way, as far as observations and the actor's summaries tell.

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
        self.running = False
        self._devices = {arm: Device(task.operator, warn) for arm in device_arms(task)}
        self._window = Buttons()
        places = zip(task.action_layout.arms, task.arms, strict=True)
        self._arms = [_Arm(place, self._moving(arm.name)) for place, arm in places]
        self._observed: Observed | None = None
        self._past: deque[Observed] = deque(maxlen=task.episode.max_steps + 1)  # realtime, this episode
        self._wish: Wish | None = None
        self._decided: tuple[int, int] | None = None
        self._ended: int | None = None  # the running episode, once the actor has closed it

    def _moving(self, arm: str) -> tuple[Device, ...]:
        """Devices that move an arm, its own first; the one without an arm moves the first arm."""
        first = arm == self._task.arms[0].name
        wanted = (arm, None) if first else (arm,)
        return tuple(self._devices[name] for name in wanted if name in self._devices)

    @property
    def devices(self) -> tuple[str | None, ...]:
        """Devices to listen to, each by the arm it moves; None: the one without an arm."""
        return tuple(self._devices)

    @property
    def gripper_positions(self) -> tuple[float | None, ...]:
        """Commanded position of every arm's gripper, 0 closed .. 1 open; None: nothing is commanded yet."""
        return tuple(
            arm.position if spec.gripper.learned else spec.gripper.position
            for arm, spec in zip(self._arms, self._task.arms, strict=True)
        )

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
        self._observed, self.running = observed, observed.episode != self._ended

    def _begin(self, observed: Observed, device_ns: int) -> None:
        """Forgets what belongs to the episode before; grippers are as an episode starts with them.

        A mux that is started in the middle of an episode takes the grippers as they are, or it would open a
        hand that holds something. In realtime it commands nothing either before somebody asks for it: fingers
        that hold a wide object look open.
        """
        self._past.clear()
        self._decided = self._ended = None
        wish = self._wish
        if wish is not None and (wish.key != observed.key or 0 < wish.stamp_ns < observed.stamp_ns):
            self._wish = None
        self._window.forget()
        for device in self._devices.values():
            device.begin_episode(device_ns)
        for arm, spec, opening in zip(self._arms, self._task.arms, observed.openings, strict=True):
            if spec.gripper.learned:
                arm.gripper = GripperState.at_start(spec.gripper)
                if observed.step > 0:
                    arm.gripper.is_open, arm.gripper.assumed = opening >= THRESHOLD, self._realtime

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

    def stick(self, stamp_ns: int, deflection: ArrayLike, arm: str | None = None) -> None:
        """Takes a stick reading (6,), unit range, of the device that moves `arm` (None: the one without)."""
        self._devices[arm].push(stamp_ns, deflection)

    def joy(self, stamp_ns: int, levels: list[int], arm: str | None = None) -> None:
        """Takes button levels."""
        self._devices[arm].press(stamp_ns, levels)

    def press(self, event: Event) -> bool:
        """Takes an event from a window instead of a device; False when no episode runs that it could end."""
        if not self.running or event is Event.NONE:
            return False
        self._window.press(event)
        return True

    def end_episode(self, episode: int) -> None:
        """The actor closed an episode: what is pressed from now on ends nothing, and nothing moves."""
        if self._observed is not None and self._observed.episode == episode:
            self._ended, self.running = episode, False
            self._window.forget()

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
        if self._answered and not all(d.answered(observed.stamp_ns) for d in self._devices.values()):
            return None
        if observed.episode == self._ended:  # the arms are on their way to the next start
            return self._stand_still(observed, wish, device_ns)
        if not self.fresh(clock_ns):
            age_s = (clock_ns - observed.stamp_ns) / NS_PER_S
            self._warn(f"observation is stale; not moving: {age_s:.2f} s old when the policy answered")
            return self._stand_still(observed, wish, device_ns)
        self._forget_silent_devices(device_ns)
        policy_values = self._usable(wish)
        sources = self._choose(policy_values, device_ns)
        values = self._values(observed, sources, policy_values)
        targets = self._targets(observed, sources, values)
        return self._decision(observed, wish, policy_values, sources, values, targets)

    def _stand_still(self, observed: Observed, wish: Wish, device_ns: int) -> Decision:
        """An answer without a movement: any pose would be an old one; only a wrench can end at once."""
        self._forget_silent_devices(device_ns)
        hold, nothing = (Source.HOLD,) * len(self._task.arms), np.zeros(self._task.action_dim)
        targets = {} if observed.episode == self._ended else self.release()
        return self._decision(observed, wish, self._usable(wish), hold, nothing, targets)

    def release(self) -> dict[str, ArmTarget]:
        """No force any more for arms with wrench actions, whatever their pose; nothing for the others."""
        return {arm.name: no_wrench(arm.action) for arm in self._task.arms if arm.action.type == "wrench"}

    def _decision(
        self,
        observed: Observed,
        wish: Wish,
        policy_values: Array | None,
        sources: tuple[Source, ...],
        values: Array,
        targets: Mapping[str, ArmTarget],
    ) -> Decision:
        self._decided, self._wish = wish.key, None
        pressed = [*(device.buttons for device in self._devices.values()), self._window]
        return Decision(
            observed=observed,
            source=overall(sources),
            arm_sources=sources,
            values=values,
            policy_values=np.zeros(self._task.action_dim) if policy_values is None else policy_values,
            policy_version=wish.policy_version,
            event=max(buttons.take_event() for buttons in pressed),
            success_pressed=any(buttons.success_pressed for buttons in pressed),
            targets=targets,
        )

    # --- who moves which arm ---------------------------------------------------------------------------

    def _choose(self, policy_values: Array | None, device_ns: int) -> tuple[Source, ...]:
        """A person who is let in comes first, then the policy, then standing still; one source an arm."""
        rest = Source.HOLD if policy_values is None else Source.POLICY
        acts = [self.enabled and (self.forced or self._person_acts(arm, device_ns)) for arm in self._arms]
        lost = [self.enabled and any(device.lost for device in arm.devices) for arm in self._arms]
        if self._task.operator.takeover == "both":
            acts, lost = [any(acts)] * len(acts), [any(lost)] * len(lost)
        for arm in self._arms:
            for device in arm.devices:
                device.steers = self.enabled and device.moved(device_ns)
                if not self.enabled:
                    device.buttons.toggle = False
        return tuple(
            Source.HUMAN if person else Source.HOLD if gone else rest
            for person, gone in zip(acts, lost, strict=True)
        )

    def _person_acts(self, arm: _Arm, device_ns: int) -> bool:
        """The device moves, or its gripper button was pressed (as in the original's wrappers)."""
        return any(device.moved(device_ns) for device in arm.devices) or self._toggles(arm)

    def _toggles(self, arm: _Arm) -> bool:
        """A press waits until the gripper may change again."""
        if arm.gripper is None or self._observed is None or arm.gripper.rests(self._observed.stamp_ns):
            return False
        return sum(device.buttons.toggle for device in arm.devices) % 2 == 1

    def _values(self, observed: Observed, sources: tuple[Source, ...], policy_values: Array | None) -> Array:
        """The executed action. Grippers that are told to change change here, and nowhere else."""
        values = np.zeros(self._task.action_dim)
        for number, (arm, source) in enumerate(zip(self._arms, sources, strict=True)):
            if source is Source.HUMAN:
                spec, base_T_tcp = self._task.arms[number], observed.base_T_tcp[number]
                values[arm.place.motion] = values_from_stick(self._task, spec, base_T_tcp, arm.stick)
            elif source is Source.POLICY and policy_values is not None:
                values[arm.place.all] = policy_values[arm.place.all]
            if arm.gripper is not None:
                asked = self._gripper_value(arm, source, values)
                values[arm.place.gripper] = arm.gripper.execute(asked, observed.stamp_ns)
        return values

    def _gripper_value(self, arm: _Arm, source: Source, values: Array) -> float:
        """A person's toggle, the policy's command, or stay: the state persists."""
        assert arm.gripper is not None
        if source is Source.HUMAN and self._toggles(arm):
            for device in arm.devices:
                device.buttons.toggle = False
            return arm.gripper.toggling_value()
        return float(values[arm.place.gripper]) if source is Source.POLICY else STAY

    def _forget_silent_devices(self, device_ns: int) -> None:
        for device in self._devices.values():
            device.forget_if_silent(device_ns)

    def _usable(self, wish: Wish) -> Array | None:
        """The policy's action, or None with a warning."""
        try:
            return check_action(wish.values, self._task.action_dim)
        except ValueError as error:
            self._warn(f"policy {error}; holding the pose")
            return None

    def _targets(
        self, observed: Observed, sources: tuple[Source, ...], values: Array
    ) -> dict[str, ArmTarget]:
        """What every arm is told. One that nobody moves stays where it is, also if its actions are wrenches:
        without a wrench it would float."""
        arms = zip(self._task.arms, self._arms, sources, observed.base_T_tcp, strict=True)
        return {
            spec.name: ArmTarget(base_T_tcp)
            if source is Source.HOLD
            else arm_target(base_T_tcp, values[arm.place.motion], spec)
            for spec, arm, source, base_T_tcp in arms
        }
