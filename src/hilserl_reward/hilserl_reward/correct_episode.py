# SPDX-License-Identifier: Apache-2.0
"""Tells a running training what an episode really was: its last frames become labels.

Usage: correct_episode failure [--episode N]     (default: the newest that is over)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import rclpy
from rclpy.node import Node

from hilserl_msgs.msg import EpisodeSummary
from hilserl_msgs.srv import CorrectEpisode
from hilserl_ros import qos, topics

_OUTCOMES = {"success": EpisodeSummary.OUTCOME_SUCCESS, "failure": EpisodeSummary.OUTCOME_FAILURE}
_PATIENCE_S = 5.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the executable `correct_episode`: exit 0 when corrected, else 1 and the reason."""
    options = _parser().parse_args(arguments)
    rclpy.init(args=[])
    node = Node("correct_episode")
    try:
        accepted, text = _correct(node, _OUTCOMES[options.outcome], options.episode)
    except KeyboardInterrupt:
        accepted, text = False, "interrupted; ask again to be sure"
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    print(text, file=sys.stdout if accepted else sys.stderr)
    raise SystemExit(0 if accepted else 1)


def _correct(node: Node, outcome: int, episode: int | None) -> tuple[bool, str]:
    client = node.create_client(CorrectEpisode, topics.CORRECT_EPISODE)
    if not client.wait_for_service(_PATIENCE_S):
        return False, (
            f"correct_episode: nobody offers '{topics.CORRECT_EPISODE}'; does label_keeper run, in this "
            "ROS_DOMAIN_ID? A run in simulation has its own domain unless ROS_DOMAIN_ID is set for it"
        )
    if episode is None:
        episode = _newest_episode(node)
        if episode is None:
            return False, "correct_episode: no episode is over yet; say which with --episode N"
    future = client.call_async(CorrectEpisode.Request(episode=episode, outcome=outcome))
    rclpy.spin_until_future_complete(node, future, timeout_sec=_PATIENCE_S)
    if not future.done():
        return False, f"correct_episode: no answer within {_PATIENCE_S:g} s"
    return future.result().accepted, future.result().message


def _newest_episode(node: Node) -> int | None:
    """Of the latched summaries the last one."""
    summaries: list[EpisodeSummary] = []
    node.create_subscription(EpisodeSummary, topics.EPISODE, summaries.append, qos.EPISODE)
    end = node.get_clock().now().nanoseconds + int(_PATIENCE_S * 1e9)
    quiet = 0
    while node.get_clock().now().nanoseconds < end and quiet < 3:
        count = len(summaries)
        rclpy.spin_once(node, timeout_sec=0.3)
        quiet = quiet + 1 if summaries and len(summaries) == count else 0
    return max(summaries, key=lambda summary: summary.total_steps).episode if summaries else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="correct_episode", description="Correct what an episode of a running training was taken for."
    )
    parser.add_argument("outcome", choices=sorted(_OUTCOMES), help="what it really was")
    parser.add_argument("--episode", type=_number, metavar="N", help="default: the newest that is over")
    return parser


def _number(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' must be the number of an episode; example: 17")
    return int(text)


if __name__ == "__main__":
    main()
