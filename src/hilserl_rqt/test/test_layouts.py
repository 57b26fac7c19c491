# SPDX-License-Identifier: Apache-2.0
"""Every topic and field in the Foxglove and PlotJuggler layouts exists, with a type that they can plot."""

import importlib
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
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
from hilserl_msgs.srv import OperatorEvent
from hilserl_ros import topics
from hilserl_task import load_task

CONFIG = Path(__file__).resolve().parents[3] / "config"
TASK = load_task("ram_insertion")
ARM = TASK.arms[0].name
TOPICS = {
    "/" + name: kind
    for name, kind in {
        topics.OBSERVATION: Observation,
        topics.INTERVENTION_STATE: InterventionState,
        topics.EXECUTED_ACTION: Action,
        topics.REWARD: Reward,
        topics.EPISODE: EpisodeSummary,
        topics.LEARNER_STATUS: TrainingStatus,
        topics.VALUE_ESTIMATE: ValueEstimate,
        topics.POLICY_INSIGHT: PolicyInsight,
        topics.COACH: CoachAdvice,
        topics.DIAGNOSTICS.lstrip("/"): DiagnosticArray,
        topics.controller_state(ARM): CartesianControllerState,
        topics.gripper_state(ARM): JointState,
        **{camera.topic: Image for camera in TASK.cameras},
    }.items()
}
SERVICES = {
    "/" + topics.OPERATOR_EVENT.replace("~", "intervention_mux"): OperatorEvent,
    "/" + topics.PAUSE.replace("~", "actor"): SetBool,
    "/" + topics.LEARNER_SAVE: Trigger,
}
NUMBERS = {
    "boolean",
    "float",
    "double",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
LENGTHS = {"std": TASK.action_dim, "mean": TASK.action_dim, "values": TASK.action_dim, "joint_limit_flags": 7}


def leaf_type(path, separator):
    """Type of a field path such as /reward.probability or /policy/insight/std[2]."""
    topic = max((t for t in TOPICS if path == t or path.startswith(t + separator)), key=len, default=None)
    assert topic is not None, f"{path}: no such topic"
    kind = TOPICS[topic]
    rest = path[len(topic) + 1 :]
    name = f"{kind.__module__.split('.')[0]}/{kind.__name__}"
    for part in rest.split(separator) if rest else []:
        field, index = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", part).groups()
        package, message = name.split("/")
        fields = getattr(importlib.import_module(f"{package}.msg"), message).get_fields_and_field_types()
        assert field in fields, f"{path}: {name} has no field {field}"
        name = fields[field]
        sequence = re.fullmatch(r"sequence<(.+?)(?:, \d+)?>", name)
        array = re.fullmatch(r"(.+)\[(\d+)\]", name)
        if index is not None:
            assert sequence or array, f"{path}: {field} is no array"
            size = int(array[2]) if array else LENGTHS.get(field)
            assert size is None or int(index) < size, f"{path}: {field} has {size} entries"
            name = (sequence or array)[1]
        elif sequence or array:
            raise AssertionError(f"{path}: {field} is an array: which entry?")
    return name


def foxglove():
    return json.loads((CONFIG / "foxglove" / "hilserl.json").read_text())


def curves():
    root = ElementTree.parse(CONFIG / "plotjuggler" / "hilserl.xml").getroot()
    return [curve.attrib["name"] for curve in root.iter("curve")]


def panel_paths(kind):
    return [
        path["value"]
        for name, panel in foxglove()["configById"].items()
        if name.startswith(f"{kind}!")
        for path in panel["paths"]
    ]


@pytest.mark.parametrize("path", panel_paths("Plot"))
def test_foxglove_plots_numbers_that_exist(path):
    assert leaf_type(path, ".") in NUMBERS


@pytest.mark.parametrize("path", panel_paths("StateTransitions"))
def test_foxglove_shows_states_that_exist(path):
    assert leaf_type(path, ".") in NUMBERS | {"string"}


@pytest.mark.parametrize("name", curves())
def test_plotjuggler_plots_numbers_that_exist(name):
    assert leaf_type(name, "/") in NUMBERS


def test_other_panels_of_foxglove_fit_their_topics():
    panels = foxglove()["configById"]
    for name, panel in panels.items():
        if name.startswith("Image!"):
            assert TOPICS[panel["imageMode"]["imageTopic"]] is Image
        elif name.startswith("RawMessages!"):
            leaf_type(panel["topicPath"], ".")
        elif name.startswith("DiagnosticSummary!"):
            assert TOPICS[panel["topicToRender"]] is DiagnosticArray
        elif name.startswith("CallService!"):
            fields = SERVICES[panel["serviceName"]].Request.get_fields_and_field_types()
            assert set(json.loads(panel["requestPayload"])) == set(fields)
    owner = panels["Indicator!owner"]
    assert leaf_type(owner["path"], ".") == "uint8"
    labels = {int(rule["rawValue"]): rule["label"] for rule in owner["rules"]}
    assert labels == {
        Action.SOURCE_POLICY: "POLICY",
        Action.SOURCE_HUMAN: "HUMAN",
        Action.SOURCE_HOLD: "HOLD",
    }


def test_every_panel_has_its_place():
    layout = foxglove()
    placed = []

    def walk(node):
        if isinstance(node, str):
            placed.append(node)
        else:
            assert node["direction"] in ("row", "column")
            assert 0 < node["splitPercentage"] < 100
            walk(node["first"])
            walk(node["second"])

    walk(layout["layout"])
    assert sorted(placed) == sorted(layout["configById"])


def test_plotjuggler_listens_to_what_it_plots():
    root = ElementTree.parse(CONFIG / "plotjuggler" / "hilserl.xml").getroot()
    chosen = root.find("Plugins/plugin/selected_topics").attrib["value"].split(";")
    assert set(chosen) <= set(TOPICS)
    assert all(any(curve.startswith(f"{topic}/") for topic in chosen) for curve in curves())
    for splitter in root.iter("DockSplitter"):
        assert int(splitter.attrib["count"]) == len(splitter) == len(splitter.attrib["sizes"].split(";"))


def test_a_wrong_path_is_found():
    for path, separator in (
        ("/reward.chance", "."),
        ("/rewards.probability", "."),
        ("/policy/insight/std", "/"),
        ("/policy/insight/std[6]", "/"),
        ("/reward/probability[0]", "/"),
    ):
        with pytest.raises(AssertionError):
            leaf_type(path, separator)
