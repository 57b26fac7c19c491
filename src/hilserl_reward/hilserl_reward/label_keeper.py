# SPDX-License-Identifier: Apache-2.0
"""Node `label_keeper`: while the robot learns, keeps what the person knows better as new labels.

Frames on which the person's buttons and the classifier disagree go to run_dir/labels at once, and so do the
last frames of an episode that a person corrects afterwards (service `correct_episode`). The next
train_classifier learns from them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hilserl_msgs.msg import Action, EpisodeSummary, Observation, Reward
from hilserl_msgs.srv import CorrectEpisode
from hilserl_reward.disagreements import Disagreements, Judged, KeptEpisode, Label
from hilserl_reward.gripper_states import gripper_states
from hilserl_reward.labels import (
    UNDECIDED,
    EpisodeLabels,
    LabelError,
    check_folder,
    next_label_file,
    write_labels,
)
from hilserl_reward.observations import arm_poses, camera_images
from hilserl_ros import qos, topics
from hilserl_ros.codec import state_of_observation
from hilserl_ros.node import ERROR, OK, HilserlNode, run
from hilserl_task import TaskError

_RETRY_EVERY_S = 5.0
_UNWRITTEN_EPISODES = 100  # with a full disk so many wait in memory; about 1 MB each
_VERDICTS = {Action.EVENT_SUCCESS: True, Action.EVENT_FAILURE: False}
_OUTCOMES = {EpisodeSummary.OUTCOME_SUCCESS: True, EpisodeSummary.OUTCOME_FAILURE: False}


class LabelKeeper(HilserlNode):
    """Writes run_dir/labels/episode_XXXX.npz, one file an episode in which somebody disagreed.

    Parameter beside those of every node: `keep_episodes`, how many can be corrected afterwards (default 20).
    """

    def __init__(self) -> None:
        super().__init__("label_keeper")
        keep: int = self.declare_parameter("keep_episodes", 20).value
        if keep < 1:
            raise TaskError(f"keep_episodes: {keep} must be 1 or more; example: 20")
        self._folder = self.run_dir / "labels"
        self._cameras = tuple(camera.name for camera in self.task.cameras)
        self._check_folder()
        self._disagreements = Disagreements(keep)
        self._session = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._files: dict[int, Path] = {}
        self._unwritten: dict[int, KeptEpisode] = {}
        self._written = 0
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.RECORDER)
        self.create_subscription(Action, topics.EXECUTED_ACTION, self._on_executed, qos.RECORDER)
        self.create_subscription(Reward, topics.REWARD, self._on_reward, qos.RECORDER)
        self.create_subscription(EpisodeSummary, topics.EPISODE, self._on_episode, qos.EPISODE)
        self.create_service(CorrectEpisode, topics.CORRECT_EPISODE, self._on_correct)
        self.create_timer(_RETRY_EVERY_S, self._write_all)

    def close(self) -> None:
        """Tries once more to write what a full disk refused."""
        self._write_all()
        if self._unwritten:
            raise OSError(f"labels of {len(self._unwritten)} episodes could not be written to {self._folder}")

    def _check_folder(self) -> None:
        """Refuses a folder whose labels these would not fit to."""
        size, classes = self.task.observation.image_size, self.task.reward.classes
        try:
            check_folder(self._folder, self._cameras, size, classes)
        except LabelError as error:
            raise TaskError(str(error)) from error

    # -- what arrives ---------------------------------------------------------------------------------

    def _on_observation(self, message: Observation) -> None:
        if message.step == 0:
            self._files.pop(message.episode, None)  # a restarted actor may use the number again
        # As it is: most frames are forgotten again, so pictures are only unpacked when they become labels.
        self._keep(self._disagreements.add_frame(message.episode, message.step, message))

    def _on_reward(self, message: Reward) -> None:
        classes = tuple(message.class_probabilities)
        seen = message.probability >= message.threshold and message.probability >= max(classes, default=0.0)
        judged = Judged(float(message.probability), seen, message.model_id, classes)
        self._keep(self._disagreements.add_judgement(message.episode, message.step, judged))

    def _on_executed(self, message: Action) -> None:
        self._disagreements.add_action(message.episode, message.step, np.array(message.values))
        success = True if message.success_pressed else _VERDICTS.get(message.event)
        if success is not None:
            self._keep(self._disagreements.add_button(message.episode, message.step, success))

    def _on_episode(self, message: EpisodeSummary) -> None:
        success = message.outcome == EpisodeSummary.OUTCOME_SUCCESS
        self._disagreements.end(message.episode, message.steps, success, message.discarded)

    def _on_correct(
        self, request: CorrectEpisode.Request, response: CorrectEpisode.Response
    ) -> CorrectEpisode.Response:
        success = _OUTCOMES.get(request.outcome)
        if success is None:
            response.message = f"outcome: {request.outcome} must be 1 (success) or 2 (failure)"
            return response
        try:
            kept = self._disagreements.correct(request.episode, success)
        except ValueError as error:
            response.message = str(error)
            return response
        self._keep(kept)
        response.accepted = kept.number not in self._unwritten
        if not response.accepted:
            response.message = "corrected, but the labels wait for free disk space"
        elif not kept.corrected:
            response.message = f"episode {kept.number}: correction taken back"
        else:
            response.message = (
                f"episode {kept.number} counts as {'success' if success else 'failure'}: "
                f"{len(kept.corrected)} new labels; `run classifier --run-dir {self.run_dir}` learns them"
            )
        return response

    # -- to disk --------------------------------------------------------------------------------------

    def _keep(self, kept: KeptEpisode | None) -> None:
        """Writes an episode whose labels changed, at once: a killed node must not lose them."""
        if kept is None:
            return
        self._unwritten[kept.number] = kept
        self._write_all()
        while len(self._unwritten) > _UNWRITTEN_EPISODES:
            lost = next(iter(self._unwritten))
            del self._unwritten[lost]
            self.diagnose(ERROR, "new labels lost: no disk space for too long", episode=lost)

    def _write_all(self) -> None:
        for number, kept in list(self._unwritten.items()):
            try:
                self._write(kept)
            except OSError as error:
                self.diagnose(ERROR, f"new labels not written: {error}; free disk space", episode=number)
                return
            del self._unwritten[number]

    def _write(self, kept: KeptEpisode) -> None:
        """One file an episode, written anew when more is said about it. Raises OSError."""
        labels = kept.labels()
        path = self._files.get(kept.number)
        if not labels:
            if path is not None:
                path.unlink(missing_ok=True)
                del self._files[kept.number]
            return
        try:
            episode = self._episode_labels(kept, labels)
        except (ValueError, IndexError) as error:
            self.diagnose(ERROR, f"frames cannot become labels: {error}", episode=kept.number)
            return
        path = path or next_label_file(self._folder)
        write_labels(path, episode)
        self._files[kept.number] = path
        self.diagnose(OK, "kept as new labels", episode=kept.number, frames=len(labels), file=path.name)

    def _episode_labels(self, kept: KeptEpisode, labels: dict[int, Label]) -> EpisodeLabels:
        frames: list[Observation] = [label.frame for label in labels.values()]
        size = self.task.observation.image_size
        classes = self.task.reward.classes
        success = np.array([label.success for label in labels.values()])
        judged = [label.judged for label in labels.values()]
        return EpisodeLabels(
            images=np.stack([camera_images(frame, self._cameras, size) for frame in frames]),
            labels=success & (not classes or self.task.reward.success_class is not None),
            states=np.stack([state_of_observation(frame) for frame in frames]),
            base_T_tcp=np.stack([arm_poses(frame) for frame in frames]),
            camera_names=self._cameras,
            classes=self._class_numbers(kept, success) if classes else None,
            class_names=classes,
            why=np.array([label.why for label in labels.values()]),
            origin={
                "session": self._session,
                "episode": kept.number,
                "steps": list(labels),
                "probabilities": [None if said is None else round(said.probability, 4) for said in judged],
                "model_ids": sorted({said.model_id for said in judged if said is not None}),
            },
            gripper_open=gripper_states(self.task, kept.actions, list(labels)),
            steps=np.array(list(labels), np.int64),
        )

    def _class_numbers(self, kept: KeptEpisode, success: np.ndarray) -> np.ndarray:
        """[N] the class of success, and UNDECIDED where the person only said what it is not."""
        spec = self.task.reward
        wanted = UNDECIDED
        if spec.success_class is not None:
            wanted = spec.classes.index(spec.success_class)
        elif spec.flip_between is not None and 0 in kept.judged and kept.judged[0].classes:
            began = spec.classes[int(np.argmax(kept.judged[0].classes))]
            if began in spec.flip_between:
                other = spec.flip_between[1 - spec.flip_between.index(began)]
                wanted = spec.classes.index(other)
        return np.where(success, wanted, UNDECIDED).astype(np.int16)


def main() -> None:
    """Entry point of the executable `label_keeper`."""
    run(LabelKeeper)


if __name__ == "__main__":
    main()
