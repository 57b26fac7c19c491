# SPDX-License-Identifier: Apache-2.0
"""Events over real topics: only in an episode that is reset as an evaluation, and told in the truth."""

import pytest
import rclpy
from test_sim_node import DEADLINE_S, PERIOD_NS, Client, launch

from hilserl_ros import codec, topics
from hilserl_ros.testing import own_domain


@pytest.fixture
def start(task, task_file, tmp_path):
    """Starts the node with events; what still runs at the end is killed."""
    processes = []

    def start(events, *more):
        process = launch(task_file, tmp_path, "lockstep", [f"evaluation.events=[{events}]", *more])
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def client(task):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=own_domain())
    client = Client(context, task, "lockstep")
    yield client
    client.node.destroy_node()
    rclpy.shutdown(context=context)


def play(client, evaluation, steps=4):
    """Truths of an episode in which the arm is told to stay."""
    stamp = codec.ns_from_stamp(client.reset(seed=3, evaluation=evaluation).stamp)
    client.wait_for_set(stamp)
    for _ in range(steps):
        client.send_target(stamp)
        stamp += PERIOD_NS
        client.wait_for_set(stamp)
    return client.received[topics.SIM_GROUND_TRUTH]


def test_events_happen_in_evaluations_alone_and_the_truth_tells_them(start, client):
    start("board_shifts, arm_pushed", *(
        f"evaluation.event_settings.{kind}.steps=[{step}, {step}]"
        for kind, step in (("board_shifts", 1), ("arm_pushed", 2))
    ))  # fmt: skip
    client.connect()
    disturbed = list(play(client, evaluation=True))
    shift, push = "board_shifts", "arm_pushed"
    assert [list(truth.events) for truth in disturbed] == [[], [], [shift], [shift, push], [shift, push]]
    places = [(truth.base_t_board.position.x, truth.base_t_board.position.y) for truth in disturbed]
    assert places[0] == places[1] != places[2] != places[4]
    calm = list(play(client, evaluation=False))
    assert not any(truth.events for truth in calm)
    assert {(truth.base_t_board.position.x, truth.base_t_board.position.y) for truth in calm} == {places[0]}
    again = list(play(client, evaluation=True))
    assert [truth.base_t_board for truth in again] == [truth.base_t_board for truth in disturbed]


def test_a_kind_that_the_scene_does_not_have_starts_nothing(start, tmp_path):
    process = start("object_moved")
    assert process.wait(timeout=3 * DEADLINE_S) != 0
    error = (tmp_path / "stderr.log").read_text()
    assert (
        "scene 'ram_insertion' has no 'object_moved'; it has: board_moved, board_shifts, arm_pushed" in error
    )
    assert "Traceback" not in error
