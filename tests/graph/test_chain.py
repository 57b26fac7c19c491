# SPDX-License-Identifier: Apache-2.0
"""A chain of two skills over the real graph: sim, observation, mux and chain, all in one process.

Where a skill shall succeed, the simulated person does what an untrained policy cannot. The reward is played
from the simulator's truth.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from rclpy.action import ActionClient

from hilserl_agent.chain.chain_node import ChainNode
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.policy_codec import ReceivedPolicy
from hilserl_agent.policy_file import POLICY_FILE, write_policy_file
from hilserl_intervention.intervention_mux import InterventionMux
from hilserl_msgs.action import RunChain
from hilserl_msgs.msg import Action, ChainStatus, Observation, Reward, SimGroundTruth
from hilserl_msgs.srv import OperatorEvent
from hilserl_observation.observation import ObservationNode
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_sim.sim_node import SimNode
from hilserl_task import load_task
from hilserl_task.chain_loader import graph_task, load_chain
from hilserl_task.chain_spec import ChainSpec
from hilserl_teleop.scripted_operator_node import ScriptedOperatorNode

CONFIG = Path(__file__).resolve().parents[2] / "config"
SMALL = (
    "observation.image_size=32",
    "learner.policy_images=false",
    "learner.demonstrations=false",
    "learner.batch_size=16",
    "learner.capacity=500",
)
LIFT_M = 0.03
PATIENCE_S = 90.0  # longer than the graph's own: the chain says itself what it waited for in vain

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def make_runs(tmp_path_factory):
    """Makes run folders with an untrained policy, by task; `max_steps` of an attempt."""
    folder = tmp_path_factory.mktemp("untrained")
    LearnerCore(load_task(str(CONFIG / "tasks" / "ram_first.yaml"), SMALL), folder, 0).next_policy()
    blob = (folder / POLICY_FILE).read_bytes()

    def make(max_steps):
        folders = {}
        for name in ("ram_first", "ram_second"):
            folder = folders[name] = tmp_path_factory.mktemp(name)
            overrides = (*SMALL, f"episode.max_steps={max_steps}")
            task = load_task(str(CONFIG / "tasks" / f"{name}.yaml"), overrides)
            (folder / "task.yaml").write_text(yaml.safe_dump(task.model_dump(mode="json")))
            write_policy_file(folder / POLICY_FILE, ReceivedPolicy(1, 0, blob), task.config_hash())
        return folders

    return make


@dataclass
class ChainGraph:
    """Everything but the chain, with a reward as the simulator says, and what was seen of it."""

    graph: RosGraph
    folder: Path
    mute_after: int = 10_000  # observations that the first skill is judged on
    easily_pleased: str = ""  # skill whose classifier always says success
    rewards: int = 0
    acting: str = ""
    truths: dict[int, SimGroundTruth] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)

    def __post_init__(self):
        self.peer = self.graph.peer()
        self.statuses = self.peer.collect(ChainStatus, topics.CHAIN_STATUS, qos.CHAIN_STATUS)
        self.executed = self.peer.collect(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        self.publishers = {
            name: self.peer.create_publisher(Reward, topics.skill_reward(name), qos.REWARD)
            for name in ("first", "second")
        }
        self.peer.create_subscription(
            SimGroundTruth, topics.SIM_GROUND_TRUTH, self.take_truth, qos.SIM_GROUND_TRUTH
        )
        self.peer.create_subscription(Observation, topics.OBSERVATION, self.judge, qos.OBSERVATION)
        self.client = ActionClient(self.peer, RunChain, topics.RUN_CHAIN)

    def take_truth(self, message):
        self.truths[codec.ns_from_stamp(message.header.stamp)] = message

    def judge(self, message):
        """Both classifiers judge every observation, as two reward nodes would."""
        self.observations.append(message)
        truth = self.truths.get(codec.ns_from_stamp(message.header.stamp))
        success = bool(truth is not None and truth.success and truth.insertion_depth > 0.0078)
        self.rewards += 1
        for name, publisher in self.publishers.items():
            if name == "first" and self.rewards > self.mute_after:
                continue
            said = success or name == self.easily_pleased
            publisher.publish(Reward(episode=message.episode, step=message.step, success=said))

    def send(self, seed=0):
        """Asks for a run; the goal handle."""
        self.graph.spin_until(self.client.server_is_ready, what="action chain/run")
        future = self.client.send_goal_async(RunChain.Goal(seed=seed))
        self.graph.spin_until(future.done, what="answer to the goal")
        return future.result()

    def result(self, handle):
        future = handle.get_result_async()
        try:
            self.graph.spin_until(future.done, PATIENCE_S, "result of the chain")
        except AssertionError as error:
            said = [(status.state, status.step, status.message) for status in self.statuses[-3:]]
            raise AssertionError(f"{error}; last said: {said}") from error
        return future.result().result

    def states(self):
        """States in their order, without repeats, once the last one is in."""
        over = (ChainStatus.STATE_DONE, ChainStatus.STATE_FAILED)
        self.graph.spin_until(lambda: self.statuses and self.statuses[-1].state in over, what="last status")
        seen = []
        for status in self.statuses:
            if not seen or seen[-1] != (status.state, status.skill, status.attempt):
                seen.append((status.state, status.skill, status.attempt))
        return seen


@pytest.fixture
def started(make_runs, tmp_path):
    """Starts the graph with a chain; `change` edits the chain file, `person` acts in the policy's place."""
    graphs = []

    def start(change=lambda chain: None, person=False, max_steps=100, overrides=(), **parameters):
        runs = make_runs(max_steps)
        data = load_chain(str(CONFIG / "chains" / "ram_pair.yaml")).model_dump(mode="json")
        for skill in data["skills"]:
            skill["run"] = str(runs[skill["task"]])
        change(data)
        file = tmp_path / "chain.yaml"
        file.write_text(yaml.safe_dump(data))
        chain = ChainSpec.model_validate(data)
        tasks = [load_task(str(runs[skill.task] / "task.yaml")) for skill in chain.skills]
        task = tmp_path / "task.yaml"
        task.write_text(yaml.safe_dump(graph_task(chain, tasks).model_dump(mode="json")))
        common = {"task": str(task), "run_dir": str(tmp_path), "overrides": list(overrides) or [""]}
        more = {"chain": str(file), "phase": "demos", "operator_enabled": person, **parameters}
        graph = RosGraph(**common, **more)
        graphs.append(graph)
        graph.__enter__()
        played = ChainGraph(graph, tmp_path)
        for node in (SimNode, ObservationNode, InterventionMux):
            graph.add(node)
        if person:
            graph.add(ScriptedOperatorNode)
        graph.add(ChainNode)
        return played

    yield start
    for graph in graphs:
        graph.__exit__(None, None, None)


def short(chain, attempts=2):
    """Skills that fail after three steps, a small lift between the attempts, no way to drive before."""
    for skill in chain["skills"]:
        skill["attempts"], skill["approach"] = attempts, []
        skill["recover"] = [{"move": {"by_m": [0.0, 0.0, LIFT_M], "max_linear_speed": 0.2}}]


def test_two_skills_with_motions_between_them(started):
    played = started(person=True)
    result = played.result(played.send(seed=3))
    assert result.success, result.message
    assert [(skill.name, skill.success, skill.reason) for skill in result.skills] == [
        ("first", True, "success"),
        ("second", True, "success"),
    ]
    acted = [state for state in played.states() if state[0] == ChainStatus.STATE_ACTING]
    assert [state[1] for state in acted] == ["first"] * result.skills[0].attempts + [
        "second"
    ] * result.skills[1].attempts
    assert played.states()[-1][0] == ChainStatus.STATE_DONE
    check_frames(played)
    check_the_mux_is_silent_between(played)


def check_frames(played):
    """Each skill's episode begins where its approach ended: above its own slot, at zero in its own frame."""
    firsts = [message for message in played.observations if message.step == 0]
    ends = load_chain(str(CONFIG / "chains" / "ram_pair.yaml")).skills
    for message, skill in zip((firsts[0], firsts[-1]), ends, strict=True):
        np.testing.assert_allclose(message.state[:6], 0.0, atol=1e-6)
        goal = skill.approach[-1].move
        here = codec.matrix_from_pose(message.arms[0].pose)[:3, 3]
        assert np.abs(here - goal.to.position_m).max() < max(goal.translation_range_m) + goal.tolerance_m


def check_the_mux_is_silent_between(played):
    """Every executed action is of a step that a policy asked for; none between two skills."""
    episodes = {message.episode for message in played.executed}
    asked = [message.episode for message in played.observations if message.step == 0]
    assert episodes == set(asked)
    steps = sum(skill.steps for skill in played.statuses[-1].skills)
    assert len(played.executed) == steps


def test_a_skill_that_fails_is_tried_again_and_then_the_chain_has_failed(started):
    played = started(short, max_steps=3, overrides=["arms.0.action.translation_scale_m=0.02"])
    result = played.result(played.send())
    assert not result.success
    assert result.message == "skill 'first' failed in 2 attempts, last by timeout"
    first, second = result.skills
    assert (first.attempts, first.steps, first.success, first.reason) == (2, 6, False, "timeout")
    assert (second.attempts, second.success) == (0, False)
    asked = np.abs([action.policy_values for action in played.executed])
    assert asked[:, :3].max() <= 0.5 + 1e-6  # twice the scale that the policy knows, so half its actions
    assert asked[:, 3:].max() > 0.5
    heights = [m.arms[0].pose.position.z for m in played.observations if m.step == 0]
    assert heights[-1] - heights[0] > LIFT_M / 2
    assert played.states()[-1][0] == ChainStatus.STATE_FAILED
    again = played.result(played.send())  # it serves the next goal
    assert again.skills[0].attempts == 2


def test_a_chain_says_which_node_it_waits_for_and_ends_without_it(started):
    played = started(short, peer_timeout_s=1.0)
    played.peer.destroy_publisher(played.publishers["second"])
    result = played.result(played.send())
    assert not result.success
    assert "lacks: publisher of second/reward (reward node of skill 'second')" in result.message
    said = [status.message for status in played.statuses]
    assert any("waiting" in message and "second/reward" in message for message in said)


def test_a_dead_reward_node_ends_the_chain_with_the_arms_holding(started):
    played = started(short, max_steps=3, observation_timeout_s=1.0)
    played.mute_after = 2
    played.easily_pleased = "second"  # nobody asks it about the first skill
    result = played.result(played.send())
    assert not result.success
    assert "waiting for reward (first/reward)" in result.message
    assert result.skills[0].reason == "fault"
    stamp = max(played.truths)
    played.graph.spin_for(0.5)
    assert max(played.truths) == stamp  # nobody moves the world any more


def test_a_chain_can_be_cancelled_and_only_one_runs_at_a_time(started):
    played = started()
    handle = played.send()
    played.graph.spin_until(
        lambda: any(s.state == ChainStatus.STATE_MOVING for s in played.statuses), PATIENCE_S, "a motion"
    )
    assert not played.send().accepted
    cancelled = handle.cancel_goal_async()
    played.graph.spin_until(cancelled.done, what="answer to the cancellation")
    result = played.result(handle)
    assert "cancelled" in result.message
    assert not result.success
    assert [skill.attempts for skill in result.skills] == [0, 0]
    played.graph.spin_for(0.3)
    stamp = max(played.truths)
    played.graph.spin_for(0.5)
    assert max(played.truths) == stamp


def test_the_failure_button_ends_an_attempt(started):
    played = started(lambda chain: short(chain, attempts=1))
    client = played.peer.create_client(OperatorEvent, "intervention_mux/operator_event")
    handle = played.send()
    played.graph.spin_until(lambda: len(played.executed) > 3, PATIENCE_S, "a skill that acts")
    answer = played.graph.call(client, OperatorEvent.Request(event=Action.EVENT_FAILURE))
    assert answer.accepted, answer.message
    result = played.result(handle)
    assert (result.skills[0].attempts, result.skills[0].reason) == (1, "operator")
    assert 3 < result.skills[0].steps < 100
    assert not result.success


def height_of(truth):
    return truth.base_t_tcp.position.z


def test_by_the_clock_the_arms_move_and_the_skills_act(started):
    def lift_first(chain):
        short(chain, attempts=1)
        chain["skills"][0]["approach"] = chain["skills"][0]["recover"]

    # A long period and patience with old pictures: the machine may be busy, and all nodes share one thread.
    calm = ["pacing=realtime", "period_s=0.4", "observation.max_age_s=1.0"]
    played = started(lift_first, max_steps=3, overrides=calm)
    result = played.result(played.send())
    assert result.message == "skill 'first' failed in its only attempt, last by timeout"
    first, second = result.skills
    assert (first.attempts, first.steps, first.reason, second.attempts) == (1, 3, "timeout", 0)
    starts = [message for message in played.observations if message.step == 0]
    lifted = starts[0].arms[0].pose.position.z - min(height_of(truth) for truth in played.truths.values())
    assert lifted > LIFT_M / 2  # by the approach
