# SPDX-License-Identifier: Apache-2.0
"""A graph as the dashboard sees it: real publishers and service servers, in a context of their own."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import SetBool, Trigger

from hilserl_msgs.msg import (
    Action,
    CartesianControllerState,
    CoachAdvice,
    EpisodeSummary,
    InterventionState,
    Observation,
    PolicyInsight,
    Reward,
    TrainingStatus,
    ValueEstimate,
)
from hilserl_msgs.srv import CorrectEpisode, Evaluate, OperatorEvent
from hilserl_ros import codec, qos, topics


def picture(size: int, phase: float, marker: int = 0) -> np.ndarray:
    """A picture with structure in every direction, so that a wrong scale or channel order is seen."""
    x, y = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    red = 60 + 90 * x
    green = 60 + 90 * y
    blue = 90 + 60 * np.sin(12 * x + phase) * np.sin(12 * y)
    pixels = np.stack([red, green, blue], axis=2).astype(np.uint8)
    pixels[size // 3 : size // 2, size // 3 : size // 2] = (230, 160, marker)
    return pixels


class PlayedGraph:
    """One robot with its learner, in a namespace.

    Args:
        namespace: "" or e.g. "robot_a".
        arms, cameras: names; cameras belong to the first arm.
        without: command keys whose service is not served.
        task: what the observation node says its task is.
        domain: ROS domain; that of the environment if None.

    Attributes:
        asked: (service key, request) in the order of arrival.
        refuse: every service answers "no" with this text when it is set.
    """

    def __init__(
        self,
        namespace: str = "",
        arms: tuple[str, ...] = ("arm",),
        cameras: tuple[str, ...] = ("wrist_1", "wrist_2"),
        without: tuple[str, ...] = (),
        task: str = "ram_insertion",
        domain: int | None = None,
    ) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.refuse = ""
        self._arms, self._cameras = arms, cameras
        self._context = Context()
        self._context.init(args=[], domain_id=domain)
        self._nodes: dict[str, Node] = {}
        self._namespace = namespace
        self._publishers: dict[str, Any] = {}
        self._executor = SingleThreadedExecutor(context=self._context)
        self._lock = threading.Lock()
        for name in ("observation", "intervention_mux", "actor", "learner", "reward", "label_keeper"):
            self.start(name)
        for name, value in (("task", task), ("overrides", [""]), ("run_dir", "runs/played")):
            self._nodes["observation"].declare_parameter(name, value)
        self._serve(without)
        self._make_publishers()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def start(self, name: str) -> Node:
        """A node of the graph comes up."""
        node = Node(name, context=self._context, namespace=self._namespace, use_global_arguments=False)
        self._nodes[name] = node
        self._executor.add_node(node)
        return node

    def kill(self, name: str) -> None:
        """A node goes away, with its publishers and services."""
        node = self._nodes.pop(name)
        self._executor.remove_node(node)
        node.destroy_node()

    def close(self) -> None:
        """Ends everything."""
        self._context.try_shutdown()
        self._thread.join(timeout=5)
        for node in self._nodes.values():
            node.destroy_node()

    def publish(self, topic: str, message: Any) -> None:
        """Publishes on a topic of this graph."""
        self._publishers[topic].publish(message)

    def step(self, episode: int, step: int, source: int = 0, raw: bool = False, **changes: Any) -> None:
        """One control step: everything that a running graph says in a tenth of a second."""
        now = time.time_ns()
        head = codec.header(now)
        if not raw:
            images = [
                codec.image_from_array(picture(128, 0.2 * step, 40 + 90 * i), now)
                for i in range(len(self._cameras))
            ]
            observation = Observation(header=head, episode=episode, step=step, images=images)
            observation.camera_names = list(self._cameras)
            self.publish(topics.OBSERVATION, observation)
        for camera in self._cameras:
            self.publish(
                topics.camera_image(self._arms[0], camera),
                codec.image_from_array(picture(240, 0.2 * step), now),
            )
        for arm in self._arms:
            self.publish(topics.controller_state(arm), self._arm_state(step, **changes))
            self.publish(topics.gripper_state(arm), JointState(header=head, name=["g"], position=[0.35]))
        sources = [source] + [Action.SOURCE_POLICY] * (len(self._arms) - 1)
        state = InterventionState(header=head, enabled=True, episode=episode, step=step)
        state.source, state.active, state.arm_sources = source, source == 1, sources
        self.publish(topics.INTERVENTION_STATE, state)
        chance = 1 / (1 + math.exp(-(step - 20) / 3))
        reward = Reward(header=head, episode=episode, step=step, probability=chance, threshold=0.95)
        reward.success = chance > 0.95
        self.publish(topics.REWARD, reward)
        q = 0.2 + 0.03 * step + 0.05 * math.sin(step)
        value = ValueEstimate(header=head, episode=episode, step=step)
        value.q_mean, value.q_min, value.q_max = q, q - 0.1, q + 0.08
        self.publish(topics.VALUE_ESTIMATE, value)
        std = [0.3 + 0.02 * i + 0.05 * math.cos(step / 4) for i in range(6)]
        self.publish(topics.POLICY_INSIGHT, PolicyInsight(header=head, episode=episode, step=step, std=std))

    def episode(self, number: int, outcome: int = 1, **values: Any) -> None:
        """One finished episode."""
        given = {"steps": 40 + number % 7, "intervention_steps": 4, "interventions": 1, "duration_s": 4.2}
        given |= {
            "policy_version": 10 + number,
            "termination_reason": 1 if outcome == 1 else 2,
            "phase": "train",
        }
        summary = EpisodeSummary(actor_id="actor", episode=number, outcome=outcome, **(given | values))
        summary.header = codec.header(1_000_000_000 * (number + 1))
        self.publish(topics.EPISODE, summary)

    def status(self, **values: Any) -> None:
        """How the learner is doing."""
        given = {
            "state": "training",
            "updates_per_s": 23.4,
            "cycles": 10778,
            "workers": 1,
            "policy_version": 431,
        }
        given |= {"policy_age_s": 2.3, "online_size": 6910, "online_capacity": 50000, "demo_size": 1650}
        given |= {
            "demo_capacity": 50000,
            "episodes": 0,
            "checkpoint_age_s": 41.0,
            "disk_free_bytes": 80 << 30,
        }
        given |= {"success_rate": math.nan, "intervention_rate": math.nan, "cycle_time_s": math.nan}
        self.publish(topics.LEARNER_STATUS, TrainingStatus(**(given | values)))

    def advise(self, level: int, text: str) -> None:
        """The coach speaks."""
        advice = CoachAdvice(level=level, code="step_in", text=text, window_episodes=20)
        advice.success_rate, advice.intervention_rate, advice.interventions_per_episode = 0.8, 0.12, 1.4
        advice.mean_intervention_s, advice.rescued_rate = 2.1, 0.35
        self.publish(topics.COACH, advice)

    def warn(self, node: str, text: str, level: bytes = DiagnosticStatus.WARN, **facts: Any) -> None:
        """A diagnostic of a node of this graph."""
        prefix = f"{self._namespace}/" if self._namespace else ""
        status = DiagnosticStatus(level=level, name=f"{prefix}{node}", message=text)
        status.values = [KeyValue(key=key, value=str(value)) for key, value in facts.items()]
        self.publish(topics.DIAGNOSTICS, DiagnosticArray(status=[status]))

    def _arm_state(self, step: int, **changes: Any) -> CartesianControllerState:
        state = CartesianControllerState(target_age=0.04, limit_flags=[0] * 6, joint_limit_flags=[0] * 7)
        wrench = state.external_wrench
        wrench.force.x, wrench.force.y, wrench.force.z = 3.2, -1.4, -18.0 + step / 4
        wrench.torque.x, wrench.torque.y, wrench.torque.z = 0.4, -2.1, 0.1
        for name, value in changes.items():
            setattr(state, name, value)
        return state

    def _make_publishers(self) -> None:
        sensor = qos.sensor("realtime")
        add = self._add
        add("observation", Observation, topics.OBSERVATION, qos.OBSERVATION)
        for arm in self._arms:
            add("observation", CartesianControllerState, topics.controller_state(arm), sensor)
            add("observation", JointState, topics.gripper_state(arm), sensor)
        for camera in self._cameras:
            add("observation", Image, topics.camera_image(self._arms[0], camera), sensor)
        add("intervention_mux", InterventionState, topics.INTERVENTION_STATE, qos.INTERVENTION_STATE)
        add("reward", Reward, topics.REWARD, qos.REWARD)
        add("learner", TrainingStatus, topics.LEARNER_STATUS, qos.STATUS)
        add("learner", ValueEstimate, topics.VALUE_ESTIMATE, qos.INSIGHT)
        add("actor", PolicyInsight, topics.POLICY_INSIGHT, qos.INSIGHT)
        add("actor", EpisodeSummary, topics.EPISODE, qos.EPISODE)
        add("actor", CoachAdvice, topics.COACH, qos.COACH)
        add("actor", DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)

    def _add(self, node: str, kind: type, topic: str, profile: Any) -> None:
        self._publishers[topic] = self._nodes[node].create_publisher(kind, topic, profile)

    def _serve(self, without: tuple[str, ...]) -> None:
        for key, node, kind, name in (
            ("operator_event", "intervention_mux", OperatorEvent, topics.OPERATOR_EVENT),
            ("set_enabled", "intervention_mux", SetBool, topics.SET_ENABLED),
            ("pause_actor", "actor", SetBool, topics.PAUSE),
            ("evaluate", "actor", Evaluate, topics.EVALUATE),
            ("pause_learner", "learner", Trigger, "learner/pause"),
            ("resume_learner", "learner", Trigger, "learner/resume"),
            ("save", "learner", Trigger, topics.LEARNER_SAVE),
            ("correct", "label_keeper", CorrectEpisode, topics.CORRECT_EPISODE),
        ):
            if key not in without:
                self._nodes[node].create_service(
                    kind, name, lambda request, answer, key=key: self._answer(key, request, answer)
                )

    def _answer(self, key: str, request: Any, answer: Any) -> Any:
        self.asked.append((key, request))
        verdict = "success" if hasattr(answer, "success") else "accepted"
        setattr(answer, verdict, not self.refuse)
        answer.message = self.refuse or f"{key} done"
        return answer

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()
