# SPDX-License-Identifier: Apache-2.0
"""The dashboard's node: listens to one graph at a slow pace and passes a person's wishes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, JointState

from hilserl_msgs.msg import (
    Action,
    CartesianControllerState,
    CoachAdvice,
    EpisodeSummary,
    InterventionState,
    Observation,
    PolicyInsight,
    RecorderStatus,
    Reward,
    TrainingStatus,
    ValueEstimate,
)
from hilserl_ros import qos, topics
from hilserl_rqt import discovery
from hilserl_rqt.commands import ANSWER_S, COMMANDS, Command
from hilserl_rqt.feeds import Feed, Polled, glance
from hilserl_rqt.state import ArmView, GraphState, picture_of
from hilserl_task import TaskError, load_task

NODE_NAME = "dashboard"
NOT_OF_THE_GRAPH = (NODE_NAME, "rqt_gui", "_")  # windows, and hidden nodes
POLL_S = 0.05
DISCOVER_S = 0.5
PICTURE_S = 0.2  # 5 pictures a second of each camera
# Messages of single steps, all drawn: more than arrive between two polls of a fast lockstep graph.
STEPS_DEPTH = 20

Done = Callable[[bool, str], None]


@dataclass
class _Asked:
    """A request under way."""

    command: Command
    future: Any
    deadline_s: float
    done: Done


class Listener(Node):
    """Holds the subscriptions of the chosen graph and fills its GraphState.

    All methods but `choose`, `ask` and `show_raw` run in the ROS thread.

    Attributes:
        graphs: every graph found, by namespace.
        state: of the chosen one; replaced as a whole when another one is chosen.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(
            NODE_NAME,
            context=context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self.graphs: dict[str, discovery.Graph] = {}
        self.state = GraphState(None)
        self._wishes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wanted = ""  # namespace; empty: the first one found
        self._raw = False
        self._polled = Polled()
        self._feeds: dict[str, Feed] = {}
        self._raw_feeds: dict[str, Feed] = {}
        self._callers: dict[str, Any] = {}
        self._asked: list[_Asked] = []
        self._task_caller: Any = None
        self._task_asked = False
        self._discover_s = 0.0
        self.create_timer(POLL_S, self._turn)

    # --- from the window's thread ---------------------------------------------------------------

    def choose(self, namespace: str) -> None:
        """Shows another robot's graph."""
        self._wishes.put(lambda: self._choose(namespace))

    def show_raw(self, wanted: bool) -> None:
        """Whole camera pictures instead of what the policy sees."""
        self._wishes.put(lambda: setattr(self, "_raw", wanted))

    def ask(self, command: Command, request: Any, done: Done) -> None:
        """Calls a service; `done(accepted, text)` runs in the ROS thread, at the latest after ANSWER_S."""
        self._wishes.put(lambda: self._ask(command, request, done))

    # --- one turn -------------------------------------------------------------------------------

    def _turn(self) -> None:
        now_s = time.monotonic()
        while not self._wishes.empty():
            self._wishes.get()()
        if now_s >= self._discover_s:
            self._discover_s = now_s + DISCOVER_S
            self._discover(now_s)
        with self.state.lock:
            for feed in (*self._feeds.values(), *self._raw_feeds.values()):
                feed.poll(now_s)
        self._end_unanswered(now_s)

    def _choose(self, namespace: str) -> None:
        self._wanted = namespace
        self._attach(self.graphs.get(namespace))

    def _discover(self, now_s: float) -> None:
        self.graphs = discovery.graphs(self.get_topic_names_and_types())
        graph = self.graphs.get(self._wanted) if self._wanted else next(iter(self.graphs.values()), None)
        current = self.state.graph
        if graph is not None and (current is None or current.namespace != graph.namespace):
            self._attach(graph)
        elif graph is not None and current is not None and graph.learner != current.learner:
            self._attach(graph)  # its learner came up, or another one
        if graph is not None:
            with self.state.lock:
                self.state.graph = graph
                self._add_arms(graph)
        self._choose_raw(now_s)
        with self.state.lock:
            self._look_at_nodes()
            self.state.services = {key: client.service_is_ready() for key, client in self._callers.items()}
        self._ask_for_task()

    def _attach(self, graph: discovery.Graph | None) -> None:
        """Leaves the graph before and subscribes to another one."""
        for feed in (*self._feeds.values(), *self._raw_feeds.values()):
            feed.close()
        self._feeds, self._raw_feeds = {}, {}
        for client in self._callers.values():
            self.destroy_client(client)
        self._callers = {}
        if self._task_caller is not None:
            self.destroy_client(self._task_caller)
        self._task_caller, self._task_asked = None, False
        self.state = GraphState(graph)
        if graph is None:
            return
        self._subscribe(graph)
        for command in COMMANDS:
            self._callers[command.key] = self.create_client(command.kind, command.name(graph))
        self._task_caller = self.create_client(GetParameters, graph.name("observation/get_parameters"))

    def _subscribe(self, graph: discovery.Graph) -> None:
        state, add = self.state, self._feed
        newest, steps = glance(), glance(STEPS_DEPTH)
        add(Observation, graph.name(topics.OBSERVATION), newest, state.put_observation, PICTURE_S)
        add(InterventionState, graph.name(topics.INTERVENTION_STATE), newest, state.intervention.put)
        add(Action, graph.name(topics.EXECUTED_ACTION), newest, state.executed.put)
        add(Reward, graph.name(topics.REWARD), steps, state.put_reward)
        add(PolicyInsight, graph.name(topics.POLICY_INSIGHT), steps, state.put_insight)
        add(RecorderStatus, graph.name(topics.RECORDER_STATUS), newest, state.recorder.put)
        add(ValueEstimate, graph.learner_name(topics.VALUE_ESTIMATE), steps, state.put_value)
        add(TrainingStatus, graph.learner_name(topics.LEARNER_STATUS), newest, state.status.put)
        # Seldom, small, and of use to who comes late: latched.
        add(CoachAdvice, graph.name(topics.COACH), qos.COACH, state.coach.put)
        add(EpisodeSummary, graph.name(topics.EPISODE), qos.EPISODE, lambda m, _: state.episodes.add(m))
        add(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS, self._on_diagnostics)

    def _add_arms(self, graph: discovery.Graph) -> None:
        for arm in graph.arms:
            if arm in self.state.arms:
                continue
            view = self.state.arms[arm] = ArmView()
            self._feed(
                CartesianControllerState,
                graph.name(topics.controller_state(arm)),
                glance(),
                partial(self.state.put_arm, arm),
            )
            self._feed(JointState, graph.name(topics.gripper_state(arm)), glance(), view.gripper.put)

    def _choose_raw(self, now_s: float) -> None:
        """Whole pictures cost more than the cropped ones: subscribed to only while they are shown."""
        graph = self.state.graph
        wanted = graph is not None and (self._raw or self.state.observation.stale(now_s))
        if not wanted or graph is None:
            for feed in self._raw_feeds.values():
                feed.close()
            self._raw_feeds = {}
            return
        for camera in graph.cameras:
            if camera.name not in self._raw_feeds:
                self._raw_feeds[camera.name] = Feed(
                    self,
                    self._polled,
                    Image if camera.raw else CompressedImage,
                    graph.name(camera.topic),
                    glance(),
                    partial(self._on_raw, camera.name),
                    PICTURE_S,
                )

    def _feed(
        self,
        kind: type,
        topic: str,
        profile: Any,
        put: Callable[[Any, float], None],
        every_s: float = 0.0,
    ) -> None:
        self._feeds[topic] = Feed(
            self,
            self._polled,
            kind,
            topic,
            profile,
            lambda message: put(message, time.monotonic()),
            every_s,
        )

    def _on_raw(self, camera: str, image: Image | CompressedImage) -> None:
        now_s = time.monotonic()
        self.state.raw[camera] = picture_of(image, now_s)

    def _on_diagnostics(self, message: DiagnosticArray, now_s: float) -> None:
        graph = self.state.graph
        own = graph.namespace if graph is not None else "/"
        others = [n.strip("/") + "/" for n in self.graphs if n != "/" and n != own and not own.startswith(n)]
        self.state.problems.add(
            message, now_s, lambda name: not any(name.lstrip("/").startswith(other) for other in others)
        )

    # --- nodes, task ------------------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        """Nodes of the graph; one that was there and is gone counts as dead until all of them are gone."""
        graph = self.state.graph
        if graph is None:
            return
        places = (graph.namespace, graph.learner)
        alive = {
            f"{namespace.rstrip('/')}/{name}"
            for name, namespace in self.get_node_names_and_namespaces()
            if namespace in places and not name.startswith(NOT_OF_THE_GRAPH)
        }
        if alive and not any(self.state.nodes.values()):
            self.state.nodes = {}  # a new phase; what ended before is not missed
        self.state.nodes = {name: name in alive for name in sorted({*self.state.nodes, *alive})}

    def _ask_for_task(self) -> None:
        """The task comes from the observation node's parameters: cameras' crops, names, period."""
        client = self._task_caller
        if client is None or self._task_asked or not client.service_is_ready():
            return
        self._task_asked = True
        state = self.state
        future = client.call_async(GetParameters.Request(names=["task", "overrides", "run_dir"]))
        future.add_done_callback(lambda done: self._take_task(state, done.result()))

    def _take_task(self, state: GraphState, answer: Any) -> None:
        if answer is None or len(answer.values) != 3:
            return
        reference, overrides, run_dir = answer.values
        try:
            task = load_task(reference.string_value, list(overrides.string_array_value))
        except TaskError as error:
            self.get_logger().warning(f"the graph's task is not readable here, so no crops: {error}")
            return
        with state.lock:
            state.task, state.run_dir = task, run_dir.string_value

    # --- services -----------------------------------------------------------------------------------

    def _ask(self, command: Command, request: Any, done: Done) -> None:
        client = self._callers.get(command.key)
        if client is None or not client.service_is_ready():
            done(False, command.missing(self.state.graph))
            return
        self._asked.append(_Asked(command, client.call_async(request), time.monotonic() + ANSWER_S, done))

    def _end_unanswered(self, now_s: float) -> None:
        """Passes on answers, and the lack of them."""
        waiting = []
        for asked in self._asked:
            if asked.future.done():
                asked.done(*_verdict(asked.future))
            elif now_s >= asked.deadline_s:
                asked.future.cancel()
                asked.done(False, f"no answer from {asked.command.node} within {ANSWER_S:g} s")
            else:
                waiting.append(asked)
        self._asked = waiting


def _verdict(future: Any) -> tuple[bool, str]:
    """Accepted or not, and the text, of any of the service types used."""
    if future.exception() is not None:
        return False, str(future.exception())
    answer = future.result()
    if answer is None:
        return False, "the request was given up"
    accepted = answer.success if hasattr(answer, "success") else answer.accepted
    return bool(accepted), answer.message
