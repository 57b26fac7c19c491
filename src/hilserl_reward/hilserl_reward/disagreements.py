# SPDX-License-Identifier: Apache-2.0
"""Which frames of training become new labels: those where the person and the classifier disagree. No ROS.

A person's success button says that what is seen is success, the failure button that it is not. Afterwards a
finished episode may be corrected as a whole.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from hilserl_reward.labels import CORRECTED, FALSE_NEGATIVE, FALSE_POSITIVE

# Frames before a failure button about which it says something: a person needs half a second to press.
VERDICT_FRAMES = 5
# A wrong success is seen in the frames that led to it; debounce and what looked alike just before.
FAILURE_FRAMES = 5
# An episode that was a success after all ends in it, but may have reached it just then.
SUCCESS_FRAMES = 2
TAIL_FRAMES = 10  # kept of each episode


@dataclass(frozen=True)
class Judged:
    """What the classifier said of a frame; `seen`: looks like success, whatever debounce and gate say."""

    probability: float
    seen: bool
    model_id: str = ""
    classes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Label:
    """A frame that becomes a label: success or not, why, and what the classifier had said (None: nothing)."""

    frame: Any
    success: bool
    why: str
    judged: Judged | None


@dataclass
class KeptEpisode:
    """The end of an episode and what was said about it."""

    number: int
    frames: OrderedDict[int, Any] = field(default_factory=OrderedDict)
    actions: dict[int, Any] = field(default_factory=dict)  # executed values by step, of the whole episode
    judged: dict[int, Judged] = field(default_factory=dict)
    said: dict[int, bool] = field(default_factory=dict)
    disagreed: dict[int, Label] = field(default_factory=dict)
    corrected: dict[int, Label] = field(default_factory=dict)
    steps: int | None = None
    success: bool | None = None  # what it was taken for
    corrected_to: bool | None = None

    def labels(self) -> dict[int, Label]:
        """By step; a correction counts more than a button."""
        return dict(sorted({**self.disagreed, **self.corrected}.items()))


class Disagreements:
    """Collects frames, judgements and buttons of the last episodes.

    Args:
        keep_episodes: how many episodes can still be corrected.
    """

    def __init__(self, keep_episodes: int) -> None:
        self._keep = keep_episodes
        self._episodes: OrderedDict[int, KeptEpisode] = OrderedDict()

    def add_frame(self, episode: int, step: int, frame: Any) -> KeptEpisode | None:
        """Observation (episode, step). Returns the episode when its labels changed, like all of these."""
        kept = self._episode(episode, begins=step == 0)
        kept.frames[step] = frame
        while len(kept.frames) > TAIL_FRAMES:
            kept.frames.popitem(last=False)
        return self._compare(kept)

    def add_judgement(self, episode: int, step: int, judged: Judged) -> KeptEpisode | None:
        """Reward (episode, step)."""
        kept = self._episode(episode)
        kept.judged[step] = judged
        return self._compare(kept)

    def add_action(self, episode: int, step: int, values: Any) -> None:
        """Executed action (episode, step)."""
        self._episode(episode).actions[step] = values

    def add_button(self, episode: int, step: int, success: bool) -> KeptEpisode | None:
        """A person's verdict on observation (episode, step)."""
        kept = self._episode(episode)
        kept.said[step] = success
        return self._compare(kept)

    def end(self, episode: int, steps: int, success: bool, discarded: bool) -> None:
        """The episode is over. What a person discards is not learned from, nor can it be corrected."""
        if discarded:
            self._episodes.pop(episode, None)
        else:  # topics have no common order: the end may be heard of first
            kept = self._episode(episode)
            kept.steps, kept.success = steps, success

    def correct(self, episode: int, success: bool) -> KeptEpisode:
        """A person says what a finished episode was. Its last frames become labels, or cease to be.

        Raises:
            ValueError: the episode is not known, not seen, not over, or was taken for just that; the text
                says which.
        """
        kept = self._episodes.get(episode)
        if kept is None:
            raise ValueError(f"episode {episode} is not among those kept: {self._known() or 'none yet'}")
        if kept.steps is None or kept.success is None:
            raise ValueError(f"episode {episode} is not over yet; press success or failure instead")
        now = kept.success if kept.corrected_to is None else kept.corrected_to
        if now == success:
            raise ValueError(f"episode {episode} counts as {_name(success)} already; nothing to correct")
        if not kept.frames:
            raise ValueError(f"episode {episode}: none of its pictures were seen; it was before this node")
        kept.corrected_to = success
        count = SUCCESS_FRAMES if success else FAILURE_FRAMES
        last = [step for step in sorted(kept.frames) if step <= kept.steps][-count:]
        kept.corrected = {}
        if success != kept.success:  # else the person took the correction back
            kept.corrected = {
                step: Label(kept.frames[step], success, CORRECTED, kept.judged.get(step)) for step in last
            }
        return kept

    def newest_ended(self) -> int | None:
        """Number of the newest episode that is over."""
        ended = [number for number, kept in self._episodes.items() if kept.steps is not None]
        return ended[-1] if ended else None

    def _episode(self, number: int, begins: bool = False) -> KeptEpisode:
        kept = self._episodes.get(number)
        if kept is None or (begins and kept.frames):  # numbers of a restarted actor may come again
            self._episodes.pop(number, None)
            kept = self._episodes[number] = KeptEpisode(number)
            while len(self._episodes) > self._keep + 1:  # and the running one
                self._episodes.popitem(last=False)
        return kept

    def _compare(self, kept: KeptEpisode) -> KeptEpisode | None:
        """Looks for frames on which person and classifier disagree. Any part may come last."""
        before = len(kept.disagreed)
        for step, success in kept.said.items():
            looked_at = [step] if success else range(max(0, step - VERDICT_FRAMES + 1), step + 1)
            for number in looked_at:
                judged, frame = kept.judged.get(number), kept.frames.get(number)
                if number in kept.disagreed or kept.said.get(number, success) != success:
                    continue  # known already, or the person said otherwise of that very frame
                if judged is not None and frame is not None and judged.seen != success:
                    why = FALSE_NEGATIVE if success else FALSE_POSITIVE
                    kept.disagreed[number] = Label(frame, success, why, judged)
        return kept if len(kept.disagreed) > before else None

    def _known(self) -> str:
        return ", ".join(str(number) for number, kept in self._episodes.items() if kept.steps is not None)


def _name(success: bool) -> str:
    return "a success" if success else "a failure"
