# SPDX-License-Identifier: Apache-2.0
"""What the monitor writes down of evaluation trials: seed, initial state, simulator truth and pictures."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hilserl_agent.evaluation.event_log import EVENT_TIME, EventLog, in_words
from hilserl_agent.figures import Image, episode_strip, episode_video
from hilserl_agent.metrics import Row, TruthLog, append_row
from hilserl_agent.observations import ObservationReader
from hilserl_agent.seeds import reset_seed
from hilserl_agent.starts import pose_list, start_poses
from hilserl_msgs.msg import EpisodeSummary, Observation, SimGroundTruth
from hilserl_ros import qos, topics
from hilserl_ros.codec import ns_from_stamp
from hilserl_ros.node import WARN, HilserlNode
from hilserl_task import TaskError

PICTURED_EPISODES = 3
TRIALS_FILE = "trials.jsonl"


@dataclass(frozen=True)
class RecordOptions:
    """Where to, and how much.

    Attributes:
        results: folder for trials.jsonl and pictures; None: metrics/ and figures/ of the run folder.
        first_trial: trials before are done already.
        pictured: so many trials are kept as pictures, counted from trial 0.
    """

    results: Path | None
    first_trial: int
    pictured: int


def read_record_options(node: HilserlNode) -> RecordOptions:
    """Reads the parameters results, first_trial and pictured.

    Raises:
        TaskError: a negative number.
    """
    results: str = node.declare_parameter("results", "").value
    first_trial: int = node.declare_parameter("first_trial", 0).value
    pictured: int = node.declare_parameter("pictured", PICTURED_EPISODES).value
    for name, value in (("first_trial", first_trial), ("pictured", pictured)):
        if value < 0:
            raise TaskError(f"{name}: {value} must not be negative; example: {name}:=3")
    return RecordOptions(Path(results) if results else None, first_trial, pictured)


class EvaluationRecord:
    """Ground truth, initial states and pictures of trials. A thread draws: the node must not wait."""

    def __init__(self, node: HilserlNode, options: RecordOptions) -> None:
        self._node, self._options = node, options
        self._task = node.task
        self._started = datetime.now().isoformat(timespec="milliseconds")  # tells evaluations apart
        self._next_trial = options.first_trial
        self._truth, self._events = TruthLog(), EventLog()
        self._stamps_ns: dict[int, dict[int, int]] = {}
        self._starts: dict[int, dict[str, list[float]]] = {}
        self._scenes: dict[int, Row] = {}
        self._frames: dict[int, dict[int, Image]] = {}
        self._reader = ObservationReader(node.task)
        self._drawer = ThreadPoolExecutor(1)
        self._drawings: list[Future[None]] = []
        node.create_subscription(
            SimGroundTruth, topics.SIM_GROUND_TRUTH, self._on_truth, qos.SIM_GROUND_TRUTH
        )
        node.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.RECORDER)

    @property
    def of_the_run(self) -> bool:
        """The evaluation that belongs to the run, as in `demo`, not one of several kept apart."""
        return self._options.results is None

    def next_trial(self, discarded: bool) -> int:
        """Number of the trial that has just ended; one that was discarded is repeated."""
        trial = self._next_trial
        self._next_trial += not discarded
        return trial

    def truth(self, summary: EpisodeSummary) -> bool | None:
        """Whether the task was done at the last observation of an episode; None when not known (yet)."""
        stamp_ns = self._stamps_ns.get(summary.episode, {}).get(summary.steps)
        if stamp_ns is None:
            return None
        # Lockstep: exactly equal stamps. Realtime: the nearest within a period.
        tolerance_ns = 0 if self._task.pacing == "lockstep" else round(self._task.period_s * 1e9)
        return self._truth.at(summary.episode, stamp_ns, tolerance_ns)

    def write(self, row: Row, trial: int) -> None:
        """Writes a trial down, and its pictures if they were kept."""
        episode = row["episode"]
        seed = reset_seed(self._node.seed, "evaluate", trial)
        start = {"base_T_start": self._starts.pop(episode, {}), **self._scenes.pop(episode, {})}
        row = {**row, "trial": trial, "seed": seed, **start, **self._disturbed(row), "started": self._started}
        self._stamps_ns.pop(episode, None)
        frames = self._frames.pop(episode, {})
        append_row(self._file(), row)
        if frames and not row["discarded"] and trial < self._options.pictured:
            ordered = [frames[step] for step in sorted(frames) if step <= row["steps"]]
            self._drawings.append(self._drawer.submit(self._draw, ordered, row, trial))

    def _disturbed(self, row: Row) -> Row:
        """Events that the task asks for, and those that happened while the trial ran."""
        stamps = self._stamps_ns.get(row["episode"], {})
        first, last = stamps.get(0), stamps.get(row["steps"])
        happened = []
        if first is not None and last is not None:
            happened = self._events.between(row["episode"], first, last)
        return {"events_asked": list(self._task.evaluation.disturbances), "events": happened}

    def close(self) -> None:
        """Waits for the pictures."""
        self._drawer.shutdown(wait=True)
        for drawing in self._drawings:
            error = drawing.exception()
            if error is not None:
                self._node.diagnose(WARN, f"evaluation pictures: {error}")

    def _file(self) -> Path:
        if self._options.results is None:
            return self._node.run_dir / "metrics" / "evaluation.jsonl"
        return self._options.results / TRIALS_FILE

    def _draw(self, frames: list[Image], row: Row, trial: int) -> None:
        results = self._options.results
        folder = self._node.run_dir / "figures" if results is None else results / "videos"
        name = f"evaluation_{trial:04d}" if results is None else f"trial_{trial:04d}"
        cameras = [camera.name for camera in self._task.cameras]
        ending = f"{row['outcome']} after {row['duration_s']:.1f} s"
        words = in_words(row["events"])
        title = f"{self._task.name}, evaluation trial {trial}: {', '.join([ending, *words])}"
        episode_strip(folder / f"{name}.png", frames, self._task.period_s, cameras, title)
        captions = {
            round(event[EVENT_TIME] / self._task.period_s): text
            for event, text in zip(row["events"], words, strict=True)
        }
        episode_video(folder / f"{name}.mp4", frames, self._task.period_s, captions)

    def _on_truth(self, message: SimGroundTruth) -> None:
        if message.episode not in self._scenes:  # the first of an episode; written rows leave again
            board, goal = pose_list(message.base_t_board), pose_list(message.base_t_goal)
            self._scenes[message.episode] = {"base_T_board": board, "base_T_goal": goal}
        stamp_ns = ns_from_stamp(message.header.stamp)
        self._truth.add(message.episode, stamp_ns, message.success)
        self._events.add(message.episode, stamp_ns, message.events)

    def _on_observation(self, message: Observation) -> None:
        episode = message.episode
        self._stamps_ns.setdefault(episode, {})[message.step] = ns_from_stamp(message.header.stamp)
        if message.step == 0:
            self._starts[episode] = start_poses(message)
        # An episode may begin before the one before it is written down: so many are kept one more.
        if self._next_trial <= self._options.pictured and self._options.pictured:
            self._frames.setdefault(episode, {})[message.step] = self._reader.images(message)
