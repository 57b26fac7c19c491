# SPDX-License-Identifier: Apache-2.0
"""The learner node over its services and topics."""

import json
import resource

import pytest
from std_srvs.srv import Trigger

from hilserl_agent.checkpoint import checkpoint_names
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.learner_node import Learner
from hilserl_agent.policy_codec import PolicyAssembler
from hilserl_msgs.msg import PolicyWeights
from hilserl_msgs.srv import InsertTransitions
from hilserl_ros import qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task.compare import differences


@pytest.fixture
def graph(kit, run_dir, request):
    overrides = [*kit.small, *getattr(request, "param", ())]
    with RosGraph(task=str(kit.task_file), run_dir=str(run_dir), overrides=overrides) as graph:
        yield graph


class Actor:
    """Calls the learner as an actor does."""

    def __init__(self, graph, learner):
        self.graph, self.learner = graph, learner
        self.peer = graph.peer()
        self.client = self.peer.create_client(InsertTransitions, topics.INSERT_TRANSITIONS)

    def insert(self, messages, **changes):
        core = self.learner.core
        request = InsertTransitions.Request(
            actor_id="robot",
            session="session",
            outbox="outbox",
            config_hash=core.config_hash,
            perception_id=core.perception_id,
            transitions=messages,
        )
        for key, value in changes.items():
            setattr(request, key, value)
        return self.graph.call(self.client, request)

    def trigger(self, service):
        return self.graph.call(self.peer.create_client(Trigger, service), Trigger.Request())


SYNCHRONOUS = ("learner.updates=synchronous", "learner.updates_per_step=2", "learner.publish_every=4")


@pytest.mark.parametrize("graph", [SYNCHRONOUS], indirect=True)
def test_synchronous_updates_are_done_and_published_before_the_answer(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    messages = kit.episode_messages(learner.task, run_dir, 0, 1)
    assert actor.insert(messages[:3]).policy_version == 1  # training starts with the fourth
    assert learner.core.cycles == 0
    reply = actor.insert(messages[3:6])
    assert (reply.accepted, reply.last_sequence, learner.core.cycles) == (True, 6, 6)
    assert reply.policy_version == 2  # after cycle 4
    reply = actor.insert(messages[:6])
    assert (reply.accepted, reply.last_sequence, learner.core.cycles) == (True, 6, 6)


def test_free_updates_follow_the_inserted_steps_and_stop_there(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    actor.insert(kit.episode_messages(learner.task, run_dir, 0, 1))
    graph.spin_until(lambda: learner.core.due == 0, what="all due updates")
    assert learner.core.cycles == 7  # ten steps, the fourth was the first
    graph.spin_for(0.3)
    assert learner.core.cycles == 7


def test_late_subscriber_gets_the_newest_policy(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    actor.insert(kit.episode_messages(learner.task, run_dir, 0, 1))
    graph.spin_until(lambda: learner.core.due == 0, what="all due updates")
    chunks = actor.peer.collect(PolicyWeights, topics.POLICY, qos.POLICY)
    assembler = PolicyAssembler(learner.core.config_hash)
    received = graph.spin_until(
        lambda: [p for p in map(assembler.add, list(chunks)) if p] if chunks else None, what="a policy"
    )
    assert received[-1].version <= learner.core.policy_version
    graph.spin_until(lambda: chunks[-1].version == learner.core.policy_version, what="the newest policy")


def test_refusals_say_what_differs_and_change_nothing(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    messages = kit.episode_messages(learner.task, run_dir, 0, 1)
    reply = actor.insert(messages, config_hash="other")
    assert not reply.accepted
    assert f"config_hash other, here {learner.core.config_hash}" in reply.message
    reply = actor.insert(messages[4:])
    assert (reply.accepted, reply.last_sequence) == (False, 0)
    assert "a transition is missing" in reply.message
    assert learner.core.inserted == 0


def test_a_broken_loss_ends_the_node_without_touching_the_checkpoint(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    assert actor.trigger(topics.LEARNER_SAVE).success
    for parameter in learner.core.agent.critic.parameters():
        parameter.data.fill_(float("nan"))
    actor.insert(kit.episode_messages(learner.task, run_dir, 0, 1))
    graph.spin_until(learner.ended.done, what="the end of the node")
    assert learner.ended.result() == 1
    learner.close()
    assert checkpoint_names(run_dir / "checkpoints") == ["latest", "learner_000000000"]


def test_one_live_process_an_actor_and_a_restarted_one_goes_on(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    messages = kit.episode_messages(learner.task, run_dir, 0, 1)
    assert actor.insert(messages[:4]).accepted
    second = actor.insert([], session="second", outbox="elsewhere")
    assert (second.accepted, second.reason) == (False, InsertTransitions.Response.BUSY)
    assert "another process with this actor_id was heard" in second.message
    restarted = actor.insert(messages, session="restarted")
    assert (restarted.accepted, restarted.last_sequence, restarted.last_outbox) == (True, 10, "outbox")
    assert restarted.last_episode == 0
    replaced = actor.insert(messages)
    assert (replaced.accepted, replaced.reason) == (False, InsertTransitions.Response.REPLACED)
    assert actor.insert(kit.episode_messages(learner.task, run_dir, 0, 1), actor_id="left/actor").accepted
    assert learner.core.inserted == 20


def test_the_answer_to_another_configuration_is_the_learners_own(graph, kit, run_dir):
    learner = graph.add(Learner)
    reply = Actor(graph, learner).insert([], config_hash="other")
    theirs = json.loads(reply.configuration)
    mine = json.loads(json.dumps(kit.small_task("learner.discount=0.5").shared_config()))
    assert differences(mine, theirs) == ["learner.discount: 0.5 here, None there"]
    assert Actor(graph, learner).insert([]).configuration == ""


def test_a_full_disk_ends_the_learner_with_one_message_and_keeps_what_it_acknowledged(graph, kit, run_dir):
    learner = graph.add(Learner)
    actor = Actor(graph, learner)
    messages = kit.episode_messages(learner.task, run_dir, 0, 1)
    assert actor.insert(messages[:3]).accepted
    (file,) = (run_dir / "transitions").glob("*.mcap")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, hard))  # Python ignores SIGXFSZ
    try:
        reply = actor.insert(messages)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (reply.accepted, reply.reason, reply.last_sequence) == (
        False,
        InsertTransitions.Response.NOT_STORED,
        3,
    )
    assert "free disk space and start again" in reply.message
    graph.spin_until(learner.ended.done, what="the end of the node")
    assert learner.ended.result() == 1
    learner.close()
    assert LearnerCore(learner.task, run_dir, 0).intake.ledger("robot").sequence == 3
