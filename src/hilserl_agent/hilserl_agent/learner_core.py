# SPDX-License-Identifier: Apache-2.0
"""The learner without ROS: buffers, agent, pacing of updates, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from hilserl_agent.checkpoint import (
    CHECKPOINTS,
    About,
    newest_checkpoint,
    read_checkpoint,
    remove_partial,
    write_checkpoint,
)
from hilserl_agent.config import (
    check_device,
    encodes_in_update,
    keeps_images,
    learner_config,
    load_perception,
    perception_id,
)
from hilserl_agent.demonstrations import load_demonstrations
from hilserl_agent.intake import InsertRefused, TransitionIntake
from hilserl_agent.messages import TransitionRecord, TransitionShape
from hilserl_agent.policy_codec import ReceivedPolicy
from hilserl_agent.policy_file import POLICY_FILE, newest_version, write_policy_file
from hilserl_agent.replay_memory import make_replay_memory
from hilserl_agent.run_identity import run_identity
from hilserl_agent.sender import Sender
from hilserl_agent.sessions import Sessions
from hilserl_agent.snapshots import SNAPSHOTS, SnapshotSeries
from hilserl_agent.training_episodes import TrainingEpisodes
from hilserl_agent.transition_log import TRANSITIONS, TransitionLog
from hilserl_learning.distributed import WorkerTeam
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception
from hilserl_learning.sac import RLPDAgent, metrics_to_floats
from hilserl_learning.sampling import RLPDSampler
from hilserl_learning.snapshot import snapshot_bytes
from hilserl_msgs.msg import Transition
from hilserl_task import Task, TaskError

EPISODES = "episodes.jsonl"  # beside the checkpoints: what was heard of training episodes


class TrainingDiverged(RuntimeError):
    """A loss is not finite. The last checkpoint is from before that."""


class LearnerCore:
    """Owns the replay buffers and the agent.

    Args:
        task: what to learn, and how.
        run_dir: holds perception, demonstrations, the log of transitions, checkpoints and the policy.
        seed: of networks, batches and exploration noise in updates.
        device: of the agent; buffers stay in main memory.
        workers: processes that share every update, this one included; None: the task's.

    Raises:
        TaskError: perception or demonstrations are missing or do not fit the task, a checkpoint or the log of
            transitions is of another configuration, or the machine has no such device.
    """

    def __init__(
        self, task: Task, run_dir: Path, seed: int, device: str = "cpu", workers: int | None = None
    ) -> None:
        check_device(device)
        self.task, self.run_dir = task, run_dir
        self.config_hash = task.config_hash()
        self._perception = load_perception(task, run_dir)
        self.perception_id = perception_id(self._perception)
        self.config = learner_config(task, self._perception)
        size = task.observation.image_size
        self._shape = TransitionShape(
            state=self.config.state_dim,
            action=self.config.action_dim,
            features=0 if encodes_in_update(task) else self.config.feature_dim,
            image=(len(task.cameras), size, size, 3),
            images_required=keeps_images(task),
        )
        self.memory = make_replay_memory(task, self.config, self._perception, run_dir, seed)
        self.online, self.demonstrations = self.memory.online, self.memory.demonstrations
        self.intake, self.sessions = TransitionIntake(self.online, self.demonstrations), Sessions()
        self._generator = torch.Generator().manual_seed(seed)
        self._sampler = RLPDSampler.of(self.config, self.online, self.demonstrations, self._generator)
        self.agent = RLPDAgent(self.config, seed, device, perception=self._perception)
        self.inserted = 0
        self.cycles = 0
        self.policy_version = newest_version(run_dir / POLICY_FILE)
        self.metrics: dict[str, float] = {}
        self.episodes = TrainingEpisodes(run_dir / CHECKPOINTS / EPISODES)
        self.checkpoint: Path | None = None  # newest
        self.warnings: list[str] = []  # what resuming has found damaged
        self.on_stored: Callable[[Sender, list[TransitionRecord]], None] = lambda _sender, _records: None
        self._log = TransitionLog(run_dir / TRANSITIONS, self._identity(), compress=keeps_images(task))
        self._resume()
        self._snapshots = SnapshotSeries(run_dir / SNAPSHOTS, self.cycles, task.learner.publish_every)
        self.workers = task.learner.workers if workers is None else workers
        self._team = self._start_team(self.workers)

    # -- transitions ----------------------------------------------------------------------------------

    def insert(self, sender: Sender, messages: list[Transition]) -> int:
        """Stores what is new of a batch, in the log first; returns how many transitions that were.

        Raises:
            InsertRefused: damaged or unordered transitions; nothing was stored.
            OSError: the log cannot be written; nothing counts as accepted.
        """
        try:
            records = [self._shape.record(message) for message in messages]
        except ValueError as error:
            raise InsertRefused(f"actor '{sender.actor_id}': {error}") from error
        fresh = self.intake.fresh(sender, records)
        self._log.append(sender, messages[len(messages) - len(fresh) :])
        self._store(sender, fresh)
        self.on_stored(sender, fresh)
        return len(fresh)

    def _store(self, sender: Sender, records: list[TransitionRecord]) -> None:
        self.intake.store(sender, records)
        self.inserted += len(records)

    def check_identity(self, actor_id: str, config_hash: str, perception: str) -> None:
        """Compares what actor and learner must agree on.

        Raises:
            InsertRefused: the text names what differs.
        """
        differences = []
        if config_hash != self.config_hash:
            differences.append(f"config_hash {config_hash or 'empty'}, here {self.config_hash}")
        if perception != self.perception_id:
            differences.append(f"perception_id {perception or 'empty'}, here {self.perception_id}")
        if differences:
            raise InsertRefused(
                f"actor '{actor_id}' differs from the learner: {'; '.join(differences)}. Start both with the "
                "same task, overrides and run folder"
            )

    # -- updates --------------------------------------------------------------------------------------

    @property
    def due(self) -> int:
        """Update cycles that may run now: a fixed number per environment step after the first ones, or one at
        a time without end."""
        spec = self.task.learner
        steps = self.inserted - spec.training_starts + 1
        if steps <= 0 or not (len(self.online) or len(self.demonstrations)):
            return 0
        if spec.updates_per_step is None:
            return 1
        return max(0, spec.updates_per_step * steps - self.cycles)

    def cycle(self) -> None:
        """One update cycle: critic updates, then actor and temperature.

        Raises:
            TrainingDiverged: a metric is not finite. WorkerFailed: one of the processes is dead.
        """
        update = self.agent.update if self._team is None else self._team.update
        self.metrics = metrics_to_floats(update(self._sampler))
        self.cycles += 1
        self.memory.fill_copies()
        bad = [name for name, value in self.metrics.items() if not math.isfinite(value)]
        if bad:
            raise TrainingDiverged(
                f"{', '.join(bad)} not finite after {self.agent.gradient_steps} gradient steps; go on from "
                "the last checkpoint, with a smaller learner.learning_rate if it happens again"
            )

    def check(self) -> None:
        """Raises WorkerFailed if one of the processes is dead: an idle learner would not notice."""
        if self._team is not None:
            self._team.check()

    def _start_team(self, workers: int) -> WorkerTeam | None:
        """The other processes of `workers`, with the agent's state; None when it works alone."""
        if workers == 1:
            return None
        try:
            return WorkerTeam(self.agent, workers, self.picture_encoder)
        except LearningError as error:
            raise TaskError(f"learner: {error}") from error

    @property
    def publish_due(self) -> bool:
        """The cycle just run is one after which a policy goes out."""
        return self.cycles % self.task.learner.publish_every == 0

    @property
    def checkpoint_due(self) -> bool:
        """The cycle just run is one after which a checkpoint is written."""
        return self.cycles % self.task.learner.checkpoint_every == 0

    def next_policy(self) -> ReceivedPolicy:
        """The current policy under a new version, also written to the run folder.

        Versions only grow, also over a restart from an older checkpoint, so actors never refuse them.

        Raises:
            OSError: disk full.
        """
        self.policy_version += 1
        policy = ReceivedPolicy(
            self.policy_version, self.agent.gradient_steps, self.agent.policy_safetensors()
        )
        write_policy_file(self.run_dir / POLICY_FILE, policy, self.config_hash)
        return policy

    # -- checkpoints ----------------------------------------------------------------------------------

    def keep_snapshot(self) -> None:
        """Keeps policy and critics of now for later analyses, if it is time for one of the series.

        Raises:
            OSError: disk full; training does not need it.
        """
        about = {
            "cycle": self.cycles,
            "gradient_steps": self.agent.gradient_steps,
            "inserted": self.inserted,
            "episodes": self.episodes.statistics.episodes,
            "policy_version": self.policy_version,
            "perception_id": self.perception_id,
        }
        self._snapshots.offer(self.cycles, lambda: snapshot_bytes(self.agent, about))

    @property
    def picture_encoder(self) -> Perception | None:
        """What makes features of transitions that come with pictures only; None where features come."""
        return self._perception if encodes_in_update(self.task) else None

    def save(self) -> Path:
        """Writes a checkpoint: networks, optimizers, random states, buffers, counters; returns its folder.

        Together with the log from its file `log_file` on it is the whole state.

        Raises:
            OSError: disk full; the checkpoint before stays.
            WorkerFailed: the processes do not hold the same networks any more; nothing was written.
        """
        if self._team is not None:
            self._team.verify()
        state = {
            **self._identity(),
            "agent": self.agent.state_dict(),
            "generator": self._generator.get_state(),
            "intake": self.intake.state(),
            "sessions": self.sessions.state(),
            "log_file": self._log.rotate(),
            "inserted": self.inserted,
            "cycles": self.cycles,
            "policy_version": self.policy_version,
        }
        buffers = {"online": self.online, "demonstrations": self.demonstrations}
        episodes = self.episodes
        about = About(self.cycles, episodes.statistics.episodes, episodes.success_rate, self.config_hash)
        weights = self.agent.policy_safetensors()
        policy = ReceivedPolicy(self.policy_version, self.agent.gradient_steps, weights)
        self.checkpoint = write_checkpoint(
            self.run_dir / CHECKPOINTS, about, state, buffers, policy, self.task.learner.keep_checkpoints
        )
        return self.checkpoint

    def close(self) -> None:
        """Completes the log of transitions and ends the workers."""
        self._log.close()
        if self._team is not None:
            self._team.close()

    def _resume(self) -> None:
        """Newest checkpoint, then what the log holds beyond it: exactly what was acknowledged."""
        remove_partial(self.run_dir / CHECKPOINTS)
        folder = newest_checkpoint(self.run_dir / CHECKPOINTS)
        if folder is None:
            with_features = self._shape.features > 0
            load_demonstrations(self.task, self.run_dir, self._perception, self.demonstrations, with_features)
            first_log_file = 0
        else:
            first_log_file = self._restore(folder)
        replayed = self._replay_log(first_log_file)
        self.resumed = folder is not None or replayed > 0

    def _restore(self, folder: Path) -> int:
        """Reads a checkpoint; returns the number of the first file of the log that goes beyond it."""
        buffers = {"online": self.online, "demonstrations": self.demonstrations}
        state: dict[str, Any] = read_checkpoint(folder, self._identity(), buffers, self.agent)
        self._generator.set_state(state["generator"])
        self.intake.restore(state["intake"])
        self.sessions.restore(state["sessions"])
        self.inserted, self.cycles = state["inserted"], state["cycles"]
        self.policy_version = max(self.policy_version, state["policy_version"])
        self.checkpoint = folder
        return int(state["log_file"])

    def _replay_log(self, first: int) -> int:
        """Takes in what the log holds beyond the ledgers; returns how many transitions that were.

        Raises:
            TaskError: of another configuration, damaged, or with a gap.
        """
        before = self.inserted
        try:
            self.warnings += self._log.repair()
            for sender, message in self._log.read(first):
                self.sessions.remember(sender)
                self._store(sender, self.intake.fresh(sender, [self._shape.record(message)]))
        except TaskError:
            raise
        except (ValueError, OSError) as error:
            raise TaskError(f"{self._log.folder}: {error}") from error
        return self.inserted - before

    def _identity(self) -> dict[str, str]:
        """What checkpoints and log files must agree with."""
        return run_identity(self.task, self.perception_id)
