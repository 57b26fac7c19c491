# SPDX-License-Identifier: Apache-2.0
"""Node `collect_labels`: labelled frames for the reward classifier, from ordinary teleoperation.

Every observation becomes a frame; it is a success when the operator held or pressed the success button in
the action that answered it. With reward.classes the button gives the class that is chosen, and frames
without it are left out. The node ends when the task's numbers of labels are reached.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from rclpy.duration import Duration
from std_srvs.srv import Trigger

from hilserl_msgs.msg import Action, EpisodeSummary, Observation, RecorderStatus
from hilserl_reward.gripper_states import gripper_states
from hilserl_reward.label_assembler import Frame, LabelAssembler
from hilserl_reward.label_progress import LabelProgress
from hilserl_reward.labels import (
    LabelError,
    check_folder,
    count_classes,
    count_labels,
    next_label_file,
    undo_last_press,
    write_labels,
)
from hilserl_reward.observations import arm_poses, camera_images
from hilserl_ros import qos, topics
from hilserl_ros.codec import state_of_observation
from hilserl_ros.node import ERROR, HilserlNode, run
from hilserl_task import TaskError

_PROGRESS_EVERY_S = 2.0


class CollectLabels(HilserlNode):
    """Writes run_dir/labels/episode_XXXX.npz until there are enough; goes on with an existing folder.

    The failure button and the service `~/undo` take the newest press back: its frames are left out.
    """

    def __init__(self) -> None:
        super().__init__("collect_labels")
        spec = self.task.reward
        self._folder = self.run_dir / "labels"
        self._cameras = tuple(camera.name for camera in self.task.cameras)
        self._names = spec.classes or ("negative", "positive")
        self._targets = (
            [spec.labels_per_class] * len(spec.classes)
            if spec.classes
            else [spec.negative_labels, spec.positive_labels]
        )
        self._saved = self._count_earlier()
        success = spec.classes.index(spec.success_class) if spec.success_class else None
        states = partial(gripper_states, self.task)
        self._assembler = LabelAssembler(self._cameras, spec.classes, success, states)
        self._chosen = 0  # class that the button gives
        self._chosen_by_hand = False
        self._last_file, self._shown, self._done = "", "", False
        self._bars = LabelProgress(self._names, self._targets)
        self._status = self.create_publisher(RecorderStatus, topics.RECORDER_STATUS, qos.STATUS)
        # Depth of the recorder: while a file is written, no frame shall get lost.
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.RECORDER)
        self.create_subscription(Action, topics.EXECUTED_ACTION, self._on_executed, qos.RECORDER)
        self.create_subscription(EpisodeSummary, topics.EPISODE, self._on_episode, qos.EPISODE)
        self.create_service(Trigger, topics.UNDO_LABEL, self._on_undo)
        for number, name in enumerate(spec.classes):
            self.create_service(Trigger, f"{topics.LABEL_CLASS}/{name}", partial(self._on_class, number))
        self.create_timer(_PROGRESS_EVERY_S, self._on_timer)

    def close(self) -> None:
        """Keeps every frame that has its label, also those of the running episode."""
        self._save_all()
        self._publish_progress()
        self._bars.stop()
        self._status.wait_for_all_acked(Duration(seconds=1))

    def _count_earlier(self) -> list[int]:
        """Labels of earlier starts by kind; refuses a folder that does not fit the task."""
        classes = self.task.reward.classes
        try:
            check_folder(self._folder, self._cameras, self.task.observation.image_size, classes)
            if classes:
                return count_classes(self._folder, classes)
            return list(reversed(count_labels(self._folder)))
        except LabelError as error:
            raise TaskError(str(error)) from error

    # -- what arrives ---------------------------------------------------------------------------------

    def _on_observation(self, message: Observation) -> None:
        if message.step == 0:
            for episode in self._assembler.episodes_before(message.episode):
                self._save(episode)
        try:
            images = camera_images(message, self._cameras, self.task.observation.image_size)
            frame = Frame(images, state_of_observation(message), arm_poses(message))
        except (ValueError, IndexError) as error:
            self.diagnose(ERROR, f"frame left out: {error}", episode=message.episode, step=message.step)
            return
        self._assembler.add_frame(message.episode, message.step, frame)
        self._save_if_complete(message.episode)

    def _on_executed(self, message: Action) -> None:
        # A press may be over before the step that reports it: then there is its edge, but no level.
        pressed = message.success_pressed or message.event == Action.EVENT_SUCCESS
        kind: int | None = int(pressed)
        if self.task.reward.classes:
            kind = self._chosen if pressed else None
        self._assembler.add_label(message.episode, message.step, kind, np.array(message.values))
        if message.event == Action.EVENT_FAILURE:
            self._undo()
        self._save_if_complete(message.episode)

    def _on_episode(self, message: EpisodeSummary) -> None:
        self._assembler.expect(message.episode, message.steps)
        self._save_if_complete(message.episode)

    def _on_timer(self) -> None:
        self._publish_progress()
        self._end_if_enough()

    def _on_undo(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._undo()
        return response

    def _on_class(self, number: int, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._chosen, self._chosen_by_hand = number, True
        response.success, response.message = True, f"the button now labels '{self._names[number]}'"
        self._publish_progress()
        return response

    def _undo(self) -> tuple[bool, str]:
        """Takes the newest press back, be it in memory or on disk already."""
        count = self._assembler.undo()
        if not count:
            try:
                taken = undo_last_press(self._folder)
            except (LabelError, OSError) as error:
                self.diagnose(ERROR, f"press not taken back: {error}")
                return False, f"press not taken back: {error}"
            if taken is None:
                return False, "nothing was pressed yet"
            count = len(taken[1].labels)
            for kind in taken[1].kinds.tolist():
                self._saved[kind] -= 1
        self._publish_progress()
        text = f"{count} frames of the last press taken back"
        self.get_logger().info(text)
        return True, text

    # -- to disk --------------------------------------------------------------------------------------

    def _save_if_complete(self, episode: int) -> None:
        if self._assembler.is_complete(episode):
            self._save(episode)
        self._end_if_enough()

    def _save_all(self) -> None:
        for episode in self._assembler.open_episodes():
            self._save(episode)

    def _save(self, episode: int) -> None:
        labels = self._assembler.close(episode)
        if labels is None:
            return
        path = next_label_file(self._folder)
        try:
            write_labels(path, labels)
        except OSError as error:
            self.diagnose(ERROR, f"labels file {path}: {error}; free disk space")
            self._done = True
            self.finish(1)
            return
        for kind in labels.kinds.tolist():
            self._saved[kind] += 1
        self._last_file = path.name
        self._publish_progress()

    # -- progress -------------------------------------------------------------------------------------

    def _counts(self) -> list[int]:
        """Frames of each kind on disk and in memory."""
        return [saved + held for saved, held in zip(self._saved, self._assembler.count_open(), strict=True)]

    @property
    def _goes_through_classes(self) -> bool:
        """A person with one button is led from class to class; one who chose a class keeps it."""
        return bool(self.task.reward.classes) and not self._chosen_by_hand

    def _end_if_enough(self) -> None:
        missing = [have < want for have, want in zip(self._counts(), self._targets, strict=True)]
        if any(missing) and not missing[self._chosen] and self._goes_through_classes:
            self._chosen = missing.index(True)
        if not any(missing) and not self._done:
            self._done = True
            self._save_all()
            self.finish(0)

    def _publish_progress(self) -> None:
        """Status message, and a line in the log when the numbers changed."""
        counts = self._counts()
        parts = [
            f"{have}/{want} {name}"
            for have, want, name in zip(counts, self._targets, self._names, strict=True)
        ]
        text = "labels: " + ", ".join(parts if self.task.reward.classes else reversed(parts))
        names = list(self._names)
        if self.task.reward.classes:
            text += f"; the button labels '{self._names[self._chosen]}'"
            names[self._chosen] = "> " + names[self._chosen]
        status = RecorderStatus(state="done" if self._done else "recording", message=text)
        status.header.stamp = self.get_clock().now().to_msg()
        status.target = sum(self._targets)
        # What is more than wanted of one kind does not bring the end nearer.
        status.saved = sum(map(min, counts, self._targets))
        status.last_bag = self._last_file
        self._status.publish(status)
        self._bars.update(counts, names)
        if text != self._shown:
            self._shown = text
            if not self._bars.shown:
                self.get_logger().info(text)


def main() -> None:
    """Entry point of the executable `collect_labels`."""
    run(CollectLabels)


if __name__ == "__main__":
    main()
