# SPDX-License-Identifier: Apache-2.0
"""A process that closes steps as fast as it is told and uploads them with the actor's own parts; no torch.

    python uploading_actor.py RUN_DIR TASK_FILE ACTOR_ID SEED PERIOD_S OVERRIDE...

It tells in `RUN_DIR/told/ACTOR_ID.txt` what it does, before (`try`) and after (`closed`, `discarded`): a line
is one write, so it is there after `kill -9`. It ends when `RUN_DIR/stop` exists and all is delivered.
"""

import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor

from hilserl_agent.actor_state import load_state, save_state
from hilserl_agent.episode_book import ClosedStep, Executed, Frame
from hilserl_agent.messages import transition_message
from hilserl_agent.outbox import Outbox
from hilserl_agent.transport import Identity, TransitionUploader
from hilserl_ros import topics
from hilserl_task import load_task
from hilserl_task.spaces import state_names


class UploadingActor:
    def __init__(self, node, run_dir, task, actor_id, seed):
        self.node, self.task, self.actor_id = node, task, actor_id
        self.random = random.Random(f"{seed} {os.getpid()}")
        (run_dir / "told").mkdir(exist_ok=True)
        path = run_dir / "told" / f"{actor_id}.txt"
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.counters = run_dir / "told" / f"{actor_id}.json"
        self.state = load_state(self.counters, "train")
        self.outbox = Outbox(run_dir / "outbox" / actor_id, segment_bytes=20_000)
        self.outbox.close_cut_episode()
        identity = Identity(task.config_hash(), "none", task.shared_config())
        self.uploader = TransitionUploader(
            node, f"/{topics.INSERT_TRANSITIONS}", actor_id, identity, self.outbox, self, reply_timeout_s=5.0
        )
        self.size = len(state_names(task))
        self.begin()

    def tell(self, *words):
        os.write(self.file, (" ".join(map(str, words)) + "\n").encode())

    def begin(self):
        self.episode, self.step = self.state.next_episode, 0
        self.steps, self.discard = self.random.randint(2, 12), self.random.random() < 0.15
        self.state.next_episode += 1
        save_state(self.counters, "train", self.state)

    def act(self):
        """Closes one step, and the episode if it was its last."""
        last = self.step == self.steps - 1
        frames = [
            Frame(k, self.numbers(k), np.zeros(0, np.uint8), np.zeros(0)) for k in (self.step, self.step + 1)
        ]
        executed = Executed(np.zeros(self.task.action_dim, np.float32), self.step % 3 == 1)
        closed = ClosedStep(frames[0], executed, frames[1], 0.0, False, last)
        self.tell("try", self.episode, self.step)
        self.outbox.put(transition_message(closed, self.episode, False))
        self.tell("closed", self.episode, self.step)
        self.step += 1
        if last:
            self.end()

    def end(self):
        if self.discard:
            self.tell("discarding", self.episode)
            self.outbox.discard()
            self.tell("discarded", self.episode)
        else:
            self.outbox.release()
            self.uploader.send()
        self.begin()

    def numbers(self, step):
        return np.full(self.size, self.episode + step / 100, np.float32)

    def on_connected(self, newest_episode):
        self.tell("connected", newest_episode)

    def on_acknowledged(self, policy_version, learner_session):
        pass

    def on_refused(self, reason):
        self.tell("refused", reason)
        sys.exit(3)

    def on_warning(self, text):
        print(text, flush=True)


def main():
    run_dir, task_file, actor_id, seed, period_s, *overrides = sys.argv[1:]
    run_dir = Path(run_dir)
    rclpy.init()
    node = rclpy.create_node("uploading_actor")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    actor = UploadingActor(node, run_dir, load_task(task_file, overrides), actor_id, seed)
    node.create_timer(float(period_s), lambda: None)  # wakes the loop
    due = time.monotonic()
    while not ((run_dir / "stop").exists() and actor.step == 0):
        executor.spin_once(timeout_sec=0.05)
        started_before = actor.uploader.connected or actor.outbox.last > 0
        if started_before and time.monotonic() >= due:
            actor.act()
            due = time.monotonic() + float(period_s)
    while not actor.uploader.idle:
        executor.spin_once(timeout_sec=0.05)
    actor.tell("done")
    os._exit(0)


if __name__ == "__main__":
    main()
