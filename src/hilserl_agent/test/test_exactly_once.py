# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed and whatever is cut: every closed step is with the learner once, in order."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.transition_files import read_log
from hilserl_agent.transition_log import TRANSITIONS

KILLS = 50
CUT_S = 6.0
NAMES = ("learner", "robot")
ADDRESSES = ("10.213.0.1", "10.213.0.2")
OVERRIDES = (
    "learner.policy_images=false",
    "learner.store_images=false",
    "learner.demonstrations=false",
    "learner.capacity=100000",
    "learner.checkpoint_every=40",
)


class Run:
    """A learner and actors as processes, in one run folder."""

    def __init__(self, kit, folder):
        self.kit, self.folder = kit, folder
        self.overrides = (*kit.small, *OVERRIDES)
        self.processes = {}
        self.logs = []

    def start(self, name, prefix=(), environment=None):
        if name == "learner":
            listed = ", ".join(f"'{override}'" for override in self.overrides)
            parameters = {"task": self.kit.task_file, "run_dir": self.folder, "overrides": f"[{listed}]"}
            command = [sys.executable, "-m", "hilserl_agent.learner_node", "--ros-args"]
            for key, value in parameters.items():
                command += ["-p", f"{key}:={value}"]
        else:
            program = Path(__file__).with_name("uploading_actor.py")
            arguments = [self.folder, self.kit.task_file, name, 7, 0.004, *self.overrides]
            command = [sys.executable, str(program), *map(str, arguments)]
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115  closed in end()
        self.logs.append(log)
        self.processes[name] = subprocess.Popen(
            [*prefix, *command], stdout=log, stderr=log, env={**os.environ, **(environment or {})}
        )

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        assert self.processes[name].wait(30) == -signal.SIGKILL, self.output(name)

    def output(self, name):
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def told(self, actor):
        path = self.folder / "told" / f"{actor}.txt"
        lines = path.read_text().split("\n") if path.exists() else []
        return [
            line.split() for line in lines[:-1]
        ]  # behind the last newline there is nothing, or a torn line

    def progress(self, name):
        """A number that grows while the process is at work."""
        if name == "learner":
            return sum(path.stat().st_size for path in (self.folder / TRANSITIONS).glob("*.mcap"))
        return len(self.told(name))

    def wait_for(self, condition, what, seconds=120.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not in time\n" + "\n".join(
                map(self.output, self.processes)
            )
            time.sleep(0.02)

    def finish(self, actors):
        """Lets the actors deliver the rest and everybody end by themselves."""
        (self.folder / "stop").touch()
        for actor in actors:
            assert self.processes[actor].wait(90) == 0, self.output(actor) + self.output("learner")
        self.processes["learner"].send_signal(signal.SIGINT)
        assert self.processes["learner"].wait(60) == 0, self.output("learner")

    def end(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        for log in self.logs:
            log.close()


@pytest.fixture
def run(kit, tmp_path):
    run = Run(kit, tmp_path)
    yield run
    run.end()


def check_exactly_once(run, kit, actors):
    """Compares what the actors told with the log and with what a learner resumes with; returns the count."""
    task = kit.small_task(*OVERRIDES)
    identity = {"config_hash": task.config_hash(), "perception_id": "none"}
    logged = list(read_log(run.folder / TRANSITIONS, 0, identity))
    core = LearnerCore(task, run.folder, 0)
    assert core.inserted == len(logged) == len(core.online)
    for actor in actors:
        messages = [entry.message for entry in logged if entry.sender.actor_id == actor]
        check_actor(run.told(actor), messages)
        assert core.intake.ledger(actor).sequence == len(messages)
    return len(logged)


def check_actor(told, messages):
    assert [m.sequence for m in messages] == list(range(1, len(messages) + 1))
    held = [(m.episode, m.step) for m in messages]
    assert held == sorted(set(held)), "in order, each once"
    tried = {(int(line[1]), int(line[2])) for line in told if line[0] == "try"}
    closed = {(int(line[1]), int(line[2])) for line in told if line[0] == "closed"}
    discarded = {int(line[1]) for line in told if line[0] == "discarded"}
    maybe_discarded = {int(line[1]) for line in told if line[0] == "discarding"}
    assert not {episode for episode, _ in held} & discarded
    assert {step for step in closed if step[0] not in maybe_discarded} <= set(held) <= tried
    for message in messages:
        assert message.state[0] == pytest.approx(message.episode + message.step / 100, abs=1e-3)
    for before, after in itertools.pairwise(messages):
        assert before.truncated == (before.episode != after.episode), (
            "each episode is closed by its last step"
        )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_at_random_instants_lose_nothing_and_double_nothing(run, kit):
    chance = random.Random(4)
    run.start("learner")
    run.start("robot")
    for number in range(KILLS):
        victim = "learner" if chance.random() < 0.35 else "robot"  # a learner takes seconds to start
        if chance.random() < 0.6:  # at work; else also while it starts
            before = run.progress(victim)
            run.wait_for(lambda v=victim, b=before: run.progress(v) > b, f"work of {victim}, kill {number}")
        time.sleep(chance.uniform(0, 0.8))
        run.kill(victim)
        run.start(victim)
    run.finish(["robot"])
    count = check_exactly_once(run, kit, ["robot"])
    assert count > 20 * KILLS
    assert len([line for line in run.told("robot") if line[0] == "discarded"]) > 5


@pytest.mark.slow
def test_two_actors_feed_one_learner_and_a_killed_one_comes_back(run, kit):
    run.start("learner")
    for actor in ("left", "right"):
        run.start(actor)
    for actor in ("left", "right"):
        run.wait_for(lambda a=actor: run.progress(a) > 100, f"work of {actor}")
    run.kill("left")
    run.kill("learner")
    run.start("learner")
    run.start("left")
    before = {actor: run.progress(actor) for actor in ("left", "right")}
    for actor in ("left", "right"):
        run.wait_for(lambda a=actor: run.progress(a) > before[a] + 50, f"work of {actor}")
    run.finish(["left", "right"])
    check_exactly_once(run, kit, ["left", "right"])


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


class Cable:
    """Two namespaces; `learner` and `robot` are the ends of the cable in them."""

    def __init__(self):
        self.spaces = [f"hilserl_{name}_{os.getpid()}" for name in NAMES]

    def lay(self):
        for space in self.spaces:
            ip("netns", "add", space)
        ends = [f"hs{index}{os.getpid() % 100000}" for index in range(2)]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for space, end, address in zip(self.spaces, ends, ADDRESSES, strict=True):
            ip("link", "set", end, "netns", space)
            ip("-n", space, "link", "set", end, "name", "cable")
            ip("-n", space, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", space, "link", "set", device, "up")
            ip("-n", space, "route", "add", "224.0.0.0/4", "dev", "cable")

    def set(self, state):
        ip("-n", self.spaces[1], "link", "set", "cable", state)
        if state == "up":  # goes with the interface
            ip("-n", self.spaces[1], "route", "replace", "224.0.0.0/4", "dev", "cable")

    def remove(self):
        for space in self.spaces:
            ip("netns", "delete", space, check=False)


@pytest.fixture
def cable():
    cable = Cable()
    try:
        cable.lay()
    except (OSError, subprocess.CalledProcessError) as error:
        cable.remove()
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', '') or error}")
    yield cable
    cable.remove()


def settled(value, quiet_s=1.5):
    """The value once it has not changed for a while: what was on its way has arrived."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < quiet_s:
        time.sleep(0.1)
        if value() != last:
            last, since = value(), time.monotonic()
    return last


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_cut_network_loses_nothing_and_doubles_nothing(run, kit, cable):
    for name, space, peer in zip(NAMES, cable.spaces, reversed(ADDRESSES), strict=True):
        # UDP only: through shared memory two processes of one machine would not notice the cut.
        network = {
            "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4",
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
            "ROS_STATIC_PEERS": peer,
        }
        run.start(name, prefix=("ip", "netns", "exec", space), environment=network)
    run.wait_for(lambda: run.progress("learner") > 50_000, "transitions at the learner")
    cable.set("down")
    at_cut, told = settled(lambda: run.progress("learner")), run.progress("robot")
    time.sleep(CUT_S)
    assert run.progress("learner") == at_cut, "the cable is cut"
    run.wait_for(lambda: run.progress("robot") > told + 100, "the actor going on")
    cable.set("up")
    run.wait_for(lambda: run.progress("learner") > at_cut, "transitions after the cut")
    run.finish(["robot"])
    check_exactly_once(run, kit, ["robot"])
