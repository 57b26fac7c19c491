# SPDX-License-Identifier: Apache-2.0
"""The loop from a person's button or correction to a better classifier: real nodes, real training."""

import json
import subprocess
import sys

import numpy as np
import pytest
from std_srvs.srv import Trigger

from hilserl_msgs.msg import Action, ArmState, EpisodeSummary, Observation, RecorderStatus, Reward
from hilserl_msgs.srv import CorrectEpisode
from hilserl_reward import train_classifier
from hilserl_reward.collect_labels import CollectLabels
from hilserl_reward.label_keeper import LabelKeeper
from hilserl_reward.labels import label_files, read_labels
from hilserl_reward.model import MODEL_FILE, model_id
from hilserl_reward.reward import RewardNode
from hilserl_ros import qos, topics
from hilserl_ros.codec import floats32, image_from_array
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError

SUCCESS, FAILURE = EpisodeSummary.OUTCOME_SUCCESS, EpisodeSummary.OUTCOME_FAILURE
CLASSES = ("reward.classes=[dark, bright, lost]", "reward.flip_between=[dark, bright]")


class Graph:
    """A graph with one peer that speaks for sensors, mux, reward and actor."""

    def __init__(self, graph, kit) -> None:
        self.graph, self.kit, self.peer = graph, kit, graph.peer()
        publish = self.peer.create_publisher
        self._observations = publish(Observation, topics.OBSERVATION, qos.RECORDER)
        self._actions = publish(Action, topics.EXECUTED_ACTION, qos.RECORDER)
        self._rewards = publish(Reward, topics.REWARD, qos.RECORDER)
        self._episodes = publish(EpisodeSummary, topics.EPISODE, qos.EPISODE)

    def observe(self, episode, step, bright=False, size=None):
        pixels = self.kit.pictures(bright, np.random.default_rng(1000 * episode + step))
        message = Observation(episode=episode, step=step, camera_names=list(self.kit.CAMERAS))
        message.images = [image_from_array(picture[:size, :size], 0) for picture in pixels]
        message.state = floats32(np.full(18, step, np.float32))
        message.arms = [ArmState(name="arm")]
        message.arms[0].pose.orientation.w = 1.0
        self._observations.publish(message)

    def judge(self, episode, step, probability, classes=()):
        reward = Reward(episode=episode, step=step, probability=probability, threshold=0.85, model_id="m")
        reward.class_probabilities = list(classes)
        self._rewards.publish(reward)

    def answer(self, episode, step, event=0, level=False, values=()):
        action = Action(episode=episode, step=step, event=event, success_pressed=level)
        action.values = floats32(values)
        self._actions.publish(action)

    def end(self, episode, steps, outcome):
        self._episodes.publish(
            EpisodeSummary(episode=episode, steps=steps, outcome=outcome, total_steps=episode)
        )

    def episode(self, number, probabilities, outcome, events=None):
        for step, probability in enumerate(probabilities):
            self.observe(number, step)
            self.judge(number, step, probability)
            self.answer(number, step, (events or {}).get(step, 0))
        self.end(number, len(probabilities) - 1, outcome)

    def correct(self, episode, outcome):
        client = self.peer.create_client(CorrectEpisode, topics.CORRECT_EPISODE)
        return self.graph.call(client, CorrectEpisode.Request(episode=episode, outcome=outcome))

    def trigger(self, name):
        return self.graph.call(self.peer.create_client(Trigger, name), Trigger.Request())

    def connect(self, *names):
        self.graph.connect(self.peer, dict.fromkeys(names, "subscriber"))


def graph_of(kit, run_dir, *overrides):
    return RosGraph(task=str(kit.TASK_FILE), run_dir=str(run_dir), overrides=[*kit.SMALL, *overrides])


KEEPER_TOPICS = (topics.OBSERVATION, topics.EXECUTED_ACTION, topics.REWARD, topics.EPISODE)


@pytest.fixture
def keeper(kit, tmp_path):
    with graph_of(kit, tmp_path) as ros:
        ros.add(LabelKeeper)
        graph = Graph(ros, kit)
        graph.connect(*KEEPER_TOPICS)
        yield graph


def files(run_dir):
    return label_files(run_dir / "labels")


def test_a_press_that_the_classifier_denies_is_on_disk_at_once(keeper, tmp_path, kit):
    for step in range(3):
        keeper.observe(7, step)
        keeper.judge(7, step, 0.1)
    keeper.answer(7, 2, event=Action.EVENT_SUCCESS)
    keeper.graph.spin_until(lambda: files(tmp_path), what="labels of the running episode")
    kept = read_labels(files(tmp_path)[0])
    assert (kept.labels.tolist(), kept.why.tolist()) == ([True], ["false_negative"])
    assert kept.images.shape == (1, 2, kit.SIZE, kit.SIZE, 3)
    assert kept.states[0, 0] == 2
    assert kept.origin["episode"] == 7
    assert kept.origin["steps"] == kept.steps.tolist() == [2]
    assert kept.origin["probabilities"] == [0.1]
    assert kept.origin["model_ids"] == ["m"]


def test_kept_frames_know_the_state_of_the_gripper(kit, tmp_path):
    learned = ("arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0")
    with graph_of(kit, tmp_path, *learned) as ros:
        ros.add(LabelKeeper)
        keeper = Graph(ros, kit)
        keeper.connect(*KEEPER_TOPICS)
        for step, command in enumerate([0.0, -1.0, 0.0]):
            keeper.observe(7, step)
            keeper.judge(7, step, 0.1)
            keeper.answer(7, step, level=step != 1, values=[0.0] * 6 + [command])
        ros.spin_until(
            lambda: files(tmp_path) and len(read_labels(files(tmp_path)[0]).labels) == 2, what="two labels"
        )
    kept = read_labels(files(tmp_path)[0])
    assert kept.steps.tolist() == [0, 2]
    assert kept.gripper_open.tolist() == [[True], [False]]


def test_failure_button_and_correction_of_one_episode_share_a_file(keeper, tmp_path):
    keeper.episode(3, [0.0] * 8 + [0.9, 0.9], FAILURE, {9: Action.EVENT_FAILURE})
    keeper.graph.spin_until(
        lambda: files(tmp_path) and len(read_labels(files(tmp_path)[0]).labels) == 2,
        what="two false positives",
    )
    assert read_labels(files(tmp_path)[0]).why.tolist() == ["false_positive"] * 2
    keeper.episode(4, [0.0] * 8 + [0.9, 0.9], SUCCESS)
    keeper.graph.spin_for(0.3)
    answer = keeper.correct(4, FAILURE)
    assert answer.accepted, answer.message
    assert "5 new labels" in answer.message
    answer = keeper.correct(3, SUCCESS)
    assert answer.accepted, answer.message
    first, second = (read_labels(path) for path in files(tmp_path))
    assert first.why.tolist() == ["corrected"] * 2
    assert first.labels.all()
    assert second.labels.tolist() == [False] * 5
    assert keeper.correct(4, SUCCESS).accepted  # taken back
    assert [path.name for path in files(tmp_path)] == ["episode_0000.npz"]


@pytest.mark.parametrize(
    ("episode", "outcome", "text"), [(9, FAILURE, "not among those kept: 1"), (1, 0, "must be 1 (success)")]
)
def test_a_correction_that_cannot_be_says_why(keeper, episode, outcome, text):
    keeper.episode(1, [0.9] * 3, SUCCESS)
    keeper.graph.spin_for(0.3)
    answer = keeper.correct(episode, outcome)
    assert not answer.accepted
    assert text in answer.message


def test_a_full_disk_loses_nothing(keeper, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    keeper.episode(1, [0.9] * 3, SUCCESS)
    keeper.graph.spin_for(0.3)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        answer = keeper.correct(1, FAILURE)
        assert not answer.accepted
        assert "free disk space" in answer.message
        assert not files(tmp_path)
    keeper.graph.spin_until(lambda: files(tmp_path), timeout_s=15, what="the second attempt")
    assert read_labels(files(tmp_path)[0]).labels.tolist() == [False] * 3


def test_a_picture_that_cannot_be_read_harms_nothing(keeper, tmp_path):
    keeper.observe(1, 0, size=32)
    keeper.judge(1, 0, 0.1)
    keeper.answer(1, 0, event=Action.EVENT_SUCCESS)
    keeper.observe(2, 0)
    keeper.judge(2, 0, 0.1)
    keeper.answer(2, 0, event=Action.EVENT_SUCCESS)
    keeper.graph.spin_until(lambda: files(tmp_path), what="labels of the good one")
    assert read_labels(files(tmp_path)[0]).origin["episode"] == 2


def test_labels_of_another_size_are_refused_at_start(kit, tmp_path):
    kit.write_label_folder(tmp_path / "labels", 1)
    with (
        graph_of(kit, tmp_path, "observation.image_size=96") as ros,
        pytest.raises(TaskError, match="image_size: 96"),
    ):
        ros.add(LabelKeeper)


def test_of_classes_success_is_known_and_failure_is_left_to_the_person(kit, tmp_path):
    with graph_of(kit, tmp_path, *CLASSES) as ros:
        ros.add(LabelKeeper)
        graph = Graph(ros, kit)
        graph.connect(*KEEPER_TOPICS)
        for episode, event in ((0, Action.EVENT_SUCCESS), (1, Action.EVENT_FAILURE)):
            graph.observe(episode, 0)
            graph.judge(episode, 0, 0.0 if event == Action.EVENT_SUCCESS else 0.9, (0.9, 0.1, 0.0))
            graph.answer(episode, 0, event=event)
        ros.spin_until(lambda: len(files(tmp_path)) == 2, what="two files")
        first, second = (read_labels(path) for path in files(tmp_path))
        assert first.classes.tolist() == [1]  # it began dark, so success is bright
        assert second.classes.tolist() == [-1]
        assert not first.labels.any()  # no pose of success can be learned of a flip


def test_a_newly_trained_model_is_taken_over_and_a_broken_one_is_not(kit, tmp_path, trained_run):
    model = tmp_path / MODEL_FILE
    model.parent.mkdir()
    model.write_bytes((trained_run / MODEL_FILE).read_bytes())
    with graph_of(kit, tmp_path) as ros:
        ros._parameters["watch_model"] = False
        ros.add(RewardNode)
        peer = ros.peer()
        graph = Graph(ros, kit)
        rewards = peer.collect(Reward, topics.REWARD, qos.REWARD)
        graph.connect(topics.OBSERVATION)

        def judged(step):
            graph.observe(0, step, bright=True)
            return ros.spin_until(
                lambda: next((r for r in rewards if r.step == step and r.model_id != "m"), None),
                what="reward",
            )

        before = judged(0)
        model.write_bytes(b"half a file")
        answer = graph.trigger("reward/reload")
        assert not answer.success
        assert "goes on" in answer.message
        assert judged(1).model_id == before.model_id
        assert judged(1).probability > 0.85

        classifier = train_classifier.RewardClassifier.load(trained_run / MODEL_FILE)
        classifier.head.logit.weight.data.neg_()
        classifier.head.logit.bias.data.neg_()
        classifier.save(model)
        answer = graph.trigger("reward/reload")
        assert answer.success, answer.message
        assert model_id(model) in answer.message
        after = judged(2)
        assert after.model_id == model_id(model) != before.model_id
        assert after.probability < 0.15


def test_a_newer_file_is_noticed(kit, tmp_path, trained_run):
    model = tmp_path / MODEL_FILE
    model.parent.mkdir()
    model.write_bytes((trained_run / MODEL_FILE).read_bytes())
    with graph_of(kit, tmp_path) as ros:
        node = ros.add(RewardNode)
        before = node._model_id
        classifier = train_classifier.RewardClassifier.load(trained_run / MODEL_FILE)
        classifier.head.logit.bias.data += 1
        classifier.save(model)
        ros.spin_until(lambda: node._model_id != before, what="the new model")


def collecting(kit, tmp_path, *overrides):
    ros = graph_of(kit, tmp_path, *overrides)
    return ros


def test_the_last_press_is_taken_back_in_memory_and_on_disk(kit, tmp_path):
    with graph_of(kit, tmp_path) as ros:
        ros.add(CollectLabels)
        graph = Graph(ros, kit)
        status = graph.peer.collect(RecorderStatus, topics.RECORDER_STATUS, qos.STATUS)
        graph.connect(topics.OBSERVATION, topics.EXECUTED_ACTION, topics.EPISODE)

        def counted(text):
            ros.spin_until(lambda: status and text in status[-1].message, what=text)

        for step, level in enumerate([False, True, True, False]):
            graph.observe(0, step)
            graph.answer(0, step, level=level)
        graph.end(0, 4, 0)
        counted("2/200 positive, 2/1000 negative")
        graph.observe(1, 0)
        graph.answer(1, 0, event=Action.EVENT_SUCCESS)  # pressed and released between two steps
        counted("3/200 positive")
        assert "1 frames" in graph.trigger("collect_labels/undo").message
        counted("2/200 positive, 2/1000 negative")
        graph.answer(1, 1, event=Action.EVENT_FAILURE)
        counted("0/200 positive, 2/1000 negative")
        assert read_labels(files(tmp_path)[0]).labels.tolist() == [False, False]
        assert not graph.trigger("collect_labels/undo").success


def test_classes_are_collected_one_after_the_other_or_as_chosen(kit, tmp_path):
    with graph_of(kit, tmp_path, *CLASSES, "reward.labels_per_class=10") as ros:
        node = ros.add(CollectLabels)
        graph = Graph(ros, kit)
        graph.connect(topics.OBSERVATION, topics.EXECUTED_ACTION, topics.EPISODE)

        def press(steps, counts, levels=lambda _: True):
            for step in steps:
                graph.observe(0, step)
                graph.answer(0, step, level=levels(step))
            ros.spin_until(lambda: node._counts() == counts, what=f"labels {counts}")

        press(range(22), [10, 10, 0], lambda step: step >= 2)  # the button goes on with what is missing
        assert graph.trigger("collect_labels/label_as/dark").success
        press(range(22, 25), [13, 10, 0])  # who chose a class keeps it
        assert graph.trigger("collect_labels/label_as/lost").success
        press(range(25, 35), [13, 10, 10])
        ros.spin_until(node.ended.done, what="the end")
        kept = read_labels(files(tmp_path)[0])
        assert np.bincount(kept.classes).tolist() == [13, 10, 10]
        assert kept.class_names == ("dark", "bright", "lost")


def test_corrections_are_learned_by_one_command_and_a_running_judge_changes_its_mind(
    kit, tmp_path, monkeypatch
):
    """Pictures with a bright frame in one camera only fool the first classifier; a person says no."""
    config = train_classifier.classifier_config
    monkeypatch.setattr(train_classifier, "classifier_config", lambda *a: kit.quick(config(*a)))
    kit.write_label_folder(tmp_path / "labels")
    task = kit.small_task()
    first = train_classifier.train(tmp_path, task, 0)
    assert first["new_frames"] == 96
    with graph_of(kit, tmp_path) as ros:
        ros.add(LabelKeeper)
        graph = Graph(ros, kit)
        graph.connect(*KEEPER_TOPICS)
        for episode in range(3):
            graph.episode(episode, [0.0] * 8 + [0.9] * 2, SUCCESS)
        ros.spin_for(0.5)
        for episode in range(3):
            assert graph.correct(episode, FAILURE).accepted
    second = train_classifier.train(tmp_path, task, 0)
    assert second["new_frames"] == 15
    assert second["labels_by_origin"] == {"collected": 96, "corrected": 15}
    assert second["episodes"] == 11
    assert second["held_out_episodes"] == first["held_out_episodes"] + 1  # a fifth of each, whole episodes
    assert second["model_id"] != first["model_id"]
    again = train_classifier.train(tmp_path, task, 0)
    assert again["new_frames"] == 0


def test_the_command_corrects_the_newest_episode(kit, tmp_path):
    with graph_of(kit, tmp_path) as ros:
        ros.add(LabelKeeper)
        graph = Graph(ros, kit)
        graph.connect(*KEEPER_TOPICS)
        graph.episode(1, [0.9] * 3, SUCCESS)
        graph.episode(2, [0.9] * 3, SUCCESS)
        ros.spin_for(0.3)
        command = [sys.executable, "-m", "hilserl_reward.correct_episode", "failure"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            ros.spin_until(lambda: process.poll() is not None, timeout_s=30, what="the command")
            said = process.stdout.read()
    assert process.returncode == 0, said
    assert "episode 2 counts as failure" in said
    assert json.loads(json.dumps(read_labels(files(tmp_path)[0]).origin))["episode"] == 2
