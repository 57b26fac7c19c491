# SPDX-License-Identifier: Apache-2.0
"""Node `reward`: judges every observation with the trained classifier."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from pathlib import Path

import numpy as np
import torch

from hilserl_learning.classifier import RewardClassifier
from hilserl_msgs.msg import Observation, Reward
from hilserl_reward.judge import Judge, Verdict
from hilserl_reward.model import MODEL_FILE, load_classifier
from hilserl_reward.observations import camera_images
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, OK, HilserlNode, run
from hilserl_task import Task
from hilserl_task.spaces import STATE_NAMES

_DIAGNOSE_EVERY_S = 5.0

TOOL_TRAVEL = STATE_NAMES.index("start_position_z_m")


class RewardNode(HilserlNode):
    """Observation (episode, step) to Reward (episode, step), one for one.

    Parameters beside those of every node: `model`, the classifier's file (default: that of run_dir).
    """

    def __init__(self) -> None:
        super().__init__("reward")
        torch.set_num_threads(1)  # the trunk gains little from more, and spinning threads starve the graph
        parameter = self.declare_parameter("model", "").value
        path = Path(parameter) if parameter else self.run_dir / MODEL_FILE
        classifier = load_classifier(path, self.task)
        self._model_id = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        spec = self.task.reward
        self._judge = Judge(classifier, spec.threshold, spec.debounce_frames)
        self._seconds: deque[float] = deque(maxlen=200)
        _warm_up(classifier, self.task)
        self._rewards = self.create_publisher(Reward, topics.REWARD, qos.REWARD)
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.OBSERVATION)
        self.create_timer(_DIAGNOSE_EVERY_S, self._on_timer)
        self.get_logger().info(f"classifier {self._model_id} from {path}, threshold {spec.threshold:g}")

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
        self._rewards.publish(reward)
        self._seconds.append(time.perf_counter() - begun_s)

    def _verdict(self, message: Observation) -> Verdict:
        """Judges; what cannot be judged is no success, so that nobody waits for a reward for ever."""
        try:
            images = camera_images(message, self.task.reward_cameras, self.task.observation.image_size)
        except ValueError as error:
            self._judge.skip(message.episode, message.step)
            return Verdict(0.0, False, str(error))
        return self._judge.judge(message.episode, message.step, images, self._may_be_done(message))

    def _may_be_done(self, message: Observation) -> bool:
        """The pose gate of the original's RAM task: proprioception relative to the start."""
        travel_m = message.state[TOOL_TRAVEL] if len(message.state) > TOOL_TRAVEL else 0.0
        return bool(travel_m >= self.task.reward.minimum_travel_m)

    def _on_timer(self) -> None:
        if self._seconds:
            median_ms, worst_ms = np.percentile(self._seconds, [50, 99]) * 1e3
            self.diagnose(OK, "judging", median_ms=f"{median_ms:.2f}", p99_ms=f"{worst_ms:.2f}")


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
