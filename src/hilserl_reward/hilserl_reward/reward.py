# SPDX-License-Identifier: Apache-2.0
"""Node `reward`: judges every observation with the trained classifier."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import numpy as np
import torch
from std_srvs.srv import Trigger

from hilserl_learning.classifier import RewardClassifier
from hilserl_msgs.msg import Observation, Reward
from hilserl_reward.gate import Gate
from hilserl_reward.judge import Judge, Verdict
from hilserl_reward.meaning import meaning_of
from hilserl_reward.model import MODEL_FILE, load_classifier, model_id
from hilserl_reward.observations import camera_images
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, OK, HilserlNode, run
from hilserl_task import Task, TaskError

_DIAGNOSE_EVERY_S = 5.0
_LOOK_EVERY_S = 1.0  # for a newer model file


class RewardNode(HilserlNode):
    """Observation (episode, step) to Reward (episode, step), one for one.

    Parameters beside those of every node: `model`, the classifier's file (default: that of run_dir);
    `watch_model`, take a newly trained one over by itself (default true; `~/reload` does it at any time).
    """

    def __init__(self) -> None:
        super().__init__("reward")
        torch.set_num_threads(1)  # the trunk gains little from more, and spinning threads starve the graph
        parameter = self.declare_parameter("model", "").value
        self._path = Path(parameter) if parameter else self.run_dir / MODEL_FILE
        watch: bool = self.declare_parameter("watch_model", True).value
        spec = self.task.reward
        classifier = self._load()
        self._gate = Gate(self.task)
        self._judge = Judge(classifier, spec.threshold, spec.debounce_frames, meaning_of(spec))
        self._seconds: deque[float] = deque(maxlen=200)
        self._rewards = self.create_publisher(Reward, topics.REWARD, qos.REWARD)
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.OBSERVATION)
        self.create_service(Trigger, topics.RELOAD_CLASSIFIER, self._on_reload)
        self.create_timer(_DIAGNOSE_EVERY_S, self._on_timer)
        if watch:
            self.create_timer(_LOOK_EVERY_S, self._take_newer)
        self.get_logger().info(
            f"classifier {self._model_id} from {self._path}, threshold {spec.threshold:g}, gate {self._gate}"
        )

    def _load(self) -> RewardClassifier:
        """The model file as it is now; sets its id. Raises TaskError when it does not fit; the id stays."""
        self._seen = _stamp(self._path)
        classifier = load_classifier(self._path, self.task)
        identity = model_id(self._path)
        _warm_up(classifier, self.task)
        self._model_id = identity
        return classifier

    def _on_observation(self, message: Observation) -> None:
        begun_s = time.perf_counter()
        verdict = self._verdict(message)
        if verdict.problem:
            text = f"observation not judged: {verdict.problem}"
            self.diagnose(ERROR, text, episode=message.episode, step=message.step)
        reward = Reward(episode=message.episode, step=message.step, model_id=self._model_id)
        reward.header = message.header
        reward.probability, reward.success = verdict.probability, verdict.success
        reward.threshold = self.task.reward.threshold
        if verdict.classes:
            reward.class_names = list(self.task.reward.classes)
            reward.class_probabilities = list(verdict.classes)
        self._rewards.publish(reward)
        self._seconds.append(time.perf_counter() - begun_s)

    def _verdict(self, message: Observation) -> Verdict:
        """Judges; what cannot be judged is no success, so that nobody waits for a reward for ever."""
        try:
            images = camera_images(message, self.task.reward_cameras, self.task.observation.image_size)
        except ValueError as error:
            self._judge.skip(message.episode, message.step)
            return Verdict(0.0, False, str(error))
        possible = bool(self._gate.holds(message.state))
        return self._judge.judge(message.episode, message.step, images, possible)

    # -- another model ----------------------------------------------------------------------------------

    def _on_reload(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        before = self._model_id
        response.success, response.message = self._take_over()
        if response.success and self._model_id == before:
            response.message = f"classifier {before} is the newest already"
        return response

    def _take_newer(self) -> None:
        if _stamp(self._path) not in (None, self._seen):
            self._take_over()

    def _take_over(self) -> tuple[bool, str]:
        """Judges with the model file as it is now. A bad one never replaces a good one."""
        before = self._model_id
        try:
            self._judge.use(self._load())
        except (TaskError, OSError) as error:
            self.diagnose(ERROR, "classifier not taken over", reason=error, kept=before)
            return False, f"{error}; classifier {before} goes on"
        text = f"classifier {self._model_id} judges from now on, it was {before}"
        if self._model_id != before:
            self.diagnose(OK, "another classifier judges from now on", now=self._model_id, before=before)
        return True, text

    def _on_timer(self) -> None:
        if self._seconds:
            median_ms, worst_ms = np.percentile(self._seconds, [50, 99]) * 1e3
            self.diagnose(OK, "judging", median_ms=f"{median_ms:.2f}", p99_ms=f"{worst_ms:.2f}")


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells one version of a file from the next; None while there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _warm_up(classifier: RewardClassifier, task: Task) -> None:
    """First passes allocate and are slow; they shall not delay the first episode."""
    size = task.observation.image_size
    for _ in range(3):
        classifier.predict(np.zeros((len(task.reward_cameras), size, size, 3), np.uint8))


def main() -> None:
    """Entry point of the executable `reward`."""
    run(RewardNode)


if __name__ == "__main__":
    main()
