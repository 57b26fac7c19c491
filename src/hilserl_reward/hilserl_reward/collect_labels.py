# SPDX-License-Identifier: Apache-2.0
"""Node `collect_labels`: labelled frames for the reward classifier, from ordinary teleoperation.

Every observation becomes a frame; it is a success when the operator held the success button in the action
that answered it. The node ends when the task's numbers of labels are reached.
"""

from __future__ import annotations

from rclpy.duration import Duration

from hilserl_msgs.msg import Action, EpisodeSummary, Observation, RecorderStatus
from hilserl_reward.label_assembler import Frame, LabelAssembler
from hilserl_reward.labels import LabelError, check_folder, count_labels, next_label_file, write_labels
from hilserl_reward.observations import camera_images
from hilserl_ros import qos, topics
from hilserl_ros.codec import matrix_from_pose, state_of_observation
from hilserl_ros.node import ERROR, HilserlNode, run
from hilserl_task import TaskError

_PROGRESS_EVERY_S = 2.0


class CollectLabels(HilserlNode):
    """Writes run_dir/labels/episode_XXXX.npz until there are enough; goes on with an existing folder."""

    def __init__(self) -> None:
        super().__init__("collect_labels")
        self._folder = self.run_dir / "labels"
        self._cameras = tuple(camera.name for camera in self.task.cameras)
        self._positives, self._negatives = self._count_earlier()
        self._assembler = LabelAssembler(self._cameras)
        self._last_file, self._shown, self._done = "", "", False
        self._status = self.create_publisher(RecorderStatus, topics.RECORDER_STATUS, qos.STATUS)
        # Depth of the recorder: while a file is written, no frame shall get lost.
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.RECORDER)
        self.create_subscription(Action, topics.EXECUTED_ACTION, self._on_executed, qos.RECORDER)
        self.create_subscription(EpisodeSummary, topics.EPISODE, self._on_episode, qos.EPISODE)
        self.create_timer(_PROGRESS_EVERY_S, self._on_timer)

    def close(self) -> None:
        """Keeps every frame that has its label, also those of the running episode."""
        self._save_all()
        self._publish_progress()
        self._status.wait_for_all_acked(Duration(seconds=1))

    def _count_earlier(self) -> tuple[int, int]:
        """Labels of earlier starts; refuses a folder that does not fit the task."""
        try:
            check_folder(self._folder, self._cameras, self.task.observation.image_size)
            return count_labels(self._folder)
        except LabelError as error:
            raise TaskError(str(error)) from error

    def _on_observation(self, message: Observation) -> None:
        if message.step == 0:
            for episode in self._assembler.episodes_before(message.episode):
                self._save(episode)
        try:
            images = camera_images(message, self._cameras, self.task.observation.image_size)
            pose = matrix_from_pose(message.arms[0].pose)
            frame = Frame(images, state_of_observation(message), pose)
        except (ValueError, IndexError) as error:
            self.diagnose(ERROR, f"frame left out: {error}", episode=message.episode, step=message.step)
            return
        self._assembler.add_frame(message.episode, message.step, frame)
        self._save_if_complete(message.episode)

    def _on_executed(self, message: Action) -> None:
        self._assembler.add_label(message.episode, message.step, message.success_pressed)
        self._save_if_complete(message.episode)

    def _on_episode(self, message: EpisodeSummary) -> None:
        self._assembler.expect(message.episode, message.steps)
        self._save_if_complete(message.episode)

    def _on_timer(self) -> None:
        self._publish_progress()
        self._end_if_enough()

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
        self._positives += labels.positives
        self._negatives += labels.negatives
        self._last_file = path.name
        self._publish_progress()

    def _counts(self) -> tuple[int, int]:
        """Positives and negatives on disk and in memory."""
        positives, negatives = self._assembler.count_open()
        return self._positives + positives, self._negatives + negatives

    def _end_if_enough(self) -> None:
        positives, negatives = self._counts()
        enough = (
            positives >= self.task.reward.positive_labels and negatives >= self.task.reward.negative_labels
        )
        if enough and not self._done:
            self._done = True
            self._save_all()
            self.finish(0)

    def _publish_progress(self) -> None:
        """Status message, and a line in the log when the numbers changed."""
        positives, negatives = self._counts()
        wanted = self.task.reward
        text = (
            f"labels: {positives}/{wanted.positive_labels} positive, "
            f"{negatives}/{wanted.negative_labels} negative"
        )
        status = RecorderStatus(state="done" if self._done else "recording", message=text)
        status.header.stamp = self.get_clock().now().to_msg()
        status.target = wanted.positive_labels + wanted.negative_labels
        # What is more than wanted of one kind does not bring the end nearer.
        status.saved = min(positives, wanted.positive_labels) + min(negatives, wanted.negative_labels)
        status.last_bag = self._last_file
        self._status.publish(status)
        if text != self._shown:
            self._shown = text
            self.get_logger().info(text)


def main() -> None:
    """Entry point of the executable `collect_labels`."""
    run(CollectLabels)


if __name__ == "__main__":
    main()
