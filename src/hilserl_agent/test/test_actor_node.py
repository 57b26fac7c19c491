# SPDX-License-Identifier: Apache-2.0
"""Actor and learner as processes, against the robot side of conftest.py."""

import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.outbox import Outbox
from hilserl_agent.policy_file import POLICY_FILE
from hilserl_msgs.msg import Action, EpisodeSummary

DEADLINE_S = 90.0


@pytest.fixture
def start(kit, run_dir):
    """Starts a node of this package with the small task; whatever is left is killed at the end."""
    started = []

    def start(node, *overrides, folder=run_dir, file_limit=resource.RLIM_INFINITY, **parameters):
        values = {"task": str(kit.task_file), "run_dir": str(folder), "seed": 3, **parameters}
        command = [sys.executable, "-m", f"hilserl_agent.{node}_node", "--ros-args"]
        for name, value in values.items():
            command += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
        listed = ", ".join(f"'{override}'" for override in (*kit.small, *overrides))
        command += ["-p", f"overrides:=[{listed}]"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit)),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def ended(process):
    """Exit code and output."""
    output, _ = process.communicate(timeout=DEADLINE_S)
    return process.returncode, output


def wait_for(condition, process=None, seconds=DEADLINE_S):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


def test_teleop_stands_still_and_ends_after_its_episodes(robot, start):
    robot.success_step, robot.human_steps = 0, (2, 3)
    code, output = ended(start("actor", phase="teleop", use_reward=False, episodes=2))
    assert code == 0, output
    wait_for(lambda: len(robot.summaries) == 2)
    assert [s.termination_reason for s in robot.summaries] == [EpisodeSummary.TERMINATION_TIMEOUT] * 2
    assert [s.steps for s in robot.summaries] == [10, 10]
    assert (robot.summaries[0].intervention_steps, robot.summaries[0].interventions) == (2, 1)
    assert not np.any(robot.actions[0][0])
    assert len(set(robot.seeds)) == 2


@pytest.mark.slow
def test_where_the_person_pays_only_their_word_ends_an_episode(robot, start):
    """The classifier calls observation 4 of every episode a success; nobody listens to it."""
    robot.events = {(0, 6): Action.EVENT_SUCCESS, (1, 1): Action.EVENT_FAILURE}
    code, output = ended(
        start("actor", "operator.kind=person", "reward.source=human", phase="teleop", episodes=3)
    )
    assert code == 0, output
    wait_for(lambda: len(robot.summaries) == 3)
    said = [(s.steps, s.outcome, s.termination_reason, s.episode_return) for s in robot.summaries]
    success, failure = EpisodeSummary.OUTCOME_SUCCESS, EpisodeSummary.OUTCOME_FAILURE
    assert said == [
        (7, success, EpisodeSummary.TERMINATION_OPERATOR, 1.0),
        (2, failure, EpisodeSummary.TERMINATION_OPERATOR, 0.0),
        (10, failure, EpisodeSummary.TERMINATION_TIMEOUT, 0.0),
    ]


def test_teleop_counts_on_after_a_restart(robot, start):
    for _ in range(2):
        assert ended(start("actor", phase="teleop", episodes=1))[0] == 0
    wait_for(lambda: len(robot.summaries) == 2)
    assert [s.episode for s in robot.summaries] == [0, 1]
    assert [s.outcome for s in robot.summaries] == [EpisodeSummary.OUTCOME_SUCCESS] * 2


def test_evaluation_needs_a_policy(robot, start):
    code, output = ended(start("actor", phase="evaluate"))
    assert code == 2, output
    assert "policy.safetensors does not exist; train first" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_evaluation_uses_the_checkpoint_that_is_named(robot, start, task, run_dir):
    code, output = ended(start("actor", "evaluation.checkpoint=best", phase="evaluate"))
    assert code == 2, output
    assert "'best' is not a checkpoint with a policy" in output
    core = LearnerCore(task, run_dir, 0)
    core.next_policy()
    core.save()
    core.next_policy()
    options = {"phase": "evaluate", "episodes": 1}
    code, output = ended(start("actor", "evaluation.checkpoint=latest", **options))
    assert code == 0, output
    assert ended(start("actor", **options))[0] == 0
    wait_for(lambda: len(robot.summaries) == 2)
    assert [summary.policy_version for summary in robot.summaries] == [1, 2]


@pytest.mark.slow
def test_evaluation_uses_the_stored_policy_and_is_repeatable(robot, start, task, run_dir):
    LearnerCore(task, run_dir, 0).next_policy()
    runs = []
    for overrides, parameters in [((), {"evaluation": True}), (("evaluation.board_moved=true",), {})]:
        code, output = ended(start("actor", *overrides, phase="evaluate", episodes=2, **parameters))
        assert code == 0, output
        wait_for(lambda: len(robot.summaries) == 2)
        runs.append((list(robot.seeds), {e: dict(a) for e, a in robot.actions.items()}))
        robot.seeds.clear()
        robot.actions.clear()
        robot.summaries.clear()
    assert runs[0] == runs[1]
    assert np.any(runs[0][1][0][0])
    assert all(robot.evaluations)


@pytest.mark.slow
def test_discarded_episodes_do_not_count_in_an_evaluation(robot, start, task, run_dir):
    LearnerCore(task, run_dir, 0).next_policy()
    robot.discards = {(0, 1), (2, 0)}
    code, output = ended(start("actor", phase="evaluate", episodes=2))
    assert code == 0, output
    wait_for(lambda: len(robot.summaries) == 4)
    assert [s.discarded for s in robot.summaries] == [True, False, True, False]
    robot.discards = {(episode, 0) for episode in range(20)}
    code, output = ended(start("actor", phase="evaluate", episodes=2))
    assert code == 1, output
    assert "10 evaluation episodes discarded in a row" in output


def test_dead_simulation_ends_the_actor_with_a_clear_message(robot, start):
    robot.dies_after = 2
    code, output = ended(start("actor", phase="teleop", observation_timeout_s=1.0))
    assert code == 1, output
    assert "no progress for 1 s after step 2" in output
    assert "executed_action, observation, reward" in output


def test_missing_peers_are_named(start):
    code, output = ended(start("actor", phase="teleop", peer_timeout_s=1.0))
    assert code == 1, output
    for text in ("action reset", "wrist_1", "intervention_mux", "reward node"):
        assert text in output


def test_observation_that_is_not_finite_ends_the_actor(robot, start):
    robot.nan_step = 2
    code, output = ended(start("actor", phase="teleop"))
    assert code == 1, output
    assert "arm/start_rotvec_x_rad not finite" in output


def test_unknown_phase_is_one_clear_line(start):
    code, output = ended(start("actor", phase="practice"))
    assert code == 2, output
    assert "phase: 'practice' must be train, evaluate or teleop" in output


@pytest.mark.slow
def test_training_delivers_saves_and_stops(robot, start, task, kit, run_dir):
    overrides = ("training.max_steps=30", "evaluation.board_moved=true")
    robot.human_steps = (1,)
    robot.discards = {(1, 2)}
    learner = start("learner", *overrides)
    actor = start("actor", *overrides, phase="train")
    code, output = ended(actor)
    assert code == 0, output
    learner.send_signal(signal.SIGINT)
    code, output = ended(learner)
    assert code == 0, output
    wait_for(lambda: sum(s.steps for s in robot.summaries) >= 30)
    core = LearnerCore(kit.small_task(*overrides), run_dir, 0)
    kept = [s for s in robot.summaries if not s.discarded]
    taken = sum(s.steps for s in kept)
    assert core.resumed
    assert len(kept) == len(robot.summaries) - 1
    assert (core.inserted, len(core.online)) == (taken, taken)
    assert len(core.demonstrations) == 12 + sum(s.intervention_steps for s in kept)
    assert not any(robot.evaluations), "the board moves in an evaluation only"
    assert (run_dir / POLICY_FILE).is_file()
    assert list((run_dir / "tensorboard").iterdir())


@pytest.mark.slow
def test_synchronous_training_is_reproducible(robot, start, run_dir, tmp_path_factory):
    overrides = ("training.max_steps=24", "learner.updates=synchronous", "learner.publish_every=1")
    runs = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("run")
        for name in ("perception", "demos"):
            (folder / name).symlink_to((run_dir / name).resolve())
        learner = start("learner", *overrides, folder=folder)
        code, output = ended(start("actor", *overrides, folder=folder, phase="train"))
        assert code == 0, output
        learner.send_signal(signal.SIGINT)
        assert ended(learner)[0] == 0
        runs.append({episode: dict(actions) for episode, actions in robot.actions.items()})
        robot.actions.clear()
    assert runs[0] == runs[1]
    assert runs[0][0][0] != runs[0][1][0]


@pytest.mark.slow
def test_actor_goes_on_without_learner_and_a_new_learner_continues(robot, start, kit, run_dir):
    overrides = ("training.max_steps=150",)
    robot.allowed = 50
    learner = start("learner", *overrides)
    actor = start("actor", *overrides, phase="train", observation_timeout_s=60.0)
    wait_for(lambda: robot.answered == 50, actor)
    learner.send_signal(signal.SIGINT)
    assert ended(learner)[0] == 0
    robot.allowed = 100
    wait_for(lambda: robot.answered == 100, actor)
    learner = start("learner", *overrides)
    robot.allowed = 10**9
    code, output = ended(actor)
    assert code == 0, output
    learner.send_signal(signal.SIGINT)
    assert ended(learner)[0] == 0
    core = LearnerCore(kit.small_task(*overrides), run_dir, 0)
    assert core.inserted == sum(s.steps for s in robot.summaries)


@pytest.mark.slow
def test_a_killed_learner_loses_nothing(robot, start, kit, run_dir):
    overrides = ("training.max_steps=150", "learner.checkpoint_every=10")
    robot.allowed = 60
    learner = start("learner", *overrides)
    actor = start("actor", *overrides, phase="train", observation_timeout_s=60.0)
    wait_for(lambda: robot.answered == 60 and list((run_dir / "checkpoints").glob("learner_*")), actor)
    learner.kill()
    learner.communicate()
    learner = start("learner", *overrides)
    robot.allowed = 10**9
    code, output = ended(actor)
    assert code == 0, output
    learner.send_signal(signal.SIGINT)
    assert ended(learner)[0] == 0
    core = LearnerCore(kit.small_task(*overrides), run_dir, 0)
    taken = sum(s.steps for s in robot.summaries)
    assert core.inserted == core.intake.ledger("actor").sequence == taken
    assert core.policy_version > 1


@pytest.mark.slow
def test_a_full_disk_ends_the_actor_with_one_message_and_the_next_one_goes_on(robot, start, kit, run_dir):
    overrides = ("training.max_steps=40",)
    robot.success_step = 0
    learner = start("learner", *overrides)
    code, output = ended(start("actor", *overrides, phase="train", file_limit=70_000))
    assert code == 1, output
    assert output.count("transitions cannot be kept: [Errno 27] File too large; free disk space") == 1
    code, output = ended(start("actor", *overrides, phase="train"))
    assert code == 0, output
    assert "of an episode that was left open" in output
    learner.send_signal(signal.SIGINT)
    assert ended(learner)[0] == 0
    core = LearnerCore(kit.small_task(*overrides), run_dir, 0)
    finished = sum(s.steps for s in robot.summaries)
    kept = int(output.split("kept ")[1].split()[0])
    assert core.inserted == finished + kept
    assert core.inserted >= 40


def test_a_disk_that_is_still_full_is_one_message_again(start, task, kit, run_dir):
    with_cut_episode(task, kit, run_dir)
    (journal,) = (run_dir / "outbox" / "actor").glob("*.journal")
    code, output = ended(start("actor", phase="train", file_limit=journal.stat().st_size))
    assert code == 2, output
    assert f"outbox {journal.parent}: [Errno 27] File too large; free disk space" in output
    assert "Traceback" not in output


def test_counters_that_cannot_be_saved_at_the_start_are_one_message(start, task, kit, run_dir):
    with_cut_episode(task, kit, run_dir)
    (run_dir / "checkpoints").write_text("a file where the folder belongs")
    code, output = ended(start("actor", phase="train"))
    assert code == 1, output
    assert "counters cannot be saved: " in output
    assert "Traceback" not in output


def test_a_learner_that_starts_on_a_full_disk_says_so(start):
    code, output = ended(start("learner", file_limit=20_000))
    assert code == 1, output
    assert "free disk space" in output
    assert "Traceback" not in output


def with_cut_episode(task, kit, run_dir):
    """What an actor leaves that was killed within an episode."""
    outbox = Outbox(run_dir / "outbox" / "actor")
    for message in kit.episode_messages(task, run_dir, 0, 1)[:3]:
        outbox.put(message)
    outbox.close()


def test_training_without_learner_says_so(robot, start):
    code, output = ended(start("actor", phase="train", policy_timeout_s=1.0))
    assert code == 1, output
    assert "is the learner up?" in output
