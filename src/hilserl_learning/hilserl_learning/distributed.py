# SPDX-License-Identifier: Apache-2.0
"""One learner on several processes: each takes an equal share of every batch, gradients are averaged.

The process that makes the `WorkerTeam` is rank 0. It owns the buffers, samples joint batches and scatters
their rows; the others only compute. Random numbers are those of the joint batch (`noise`): every update
starts from the random state of rank 0. All ranks then step by the same averaged gradients, so they stay equal
bit for bit, and together they do what one process would do with the joint batch, up to rounding.

Data go through torch.distributed: gloo between CPUs, nccl between CUDA devices, one device a process. Orders
go through pipes, so waiting for the next one has no time limit and a dead peer is noticed at once.
"""

from __future__ import annotations

import hashlib
import io
import os
import signal
import traceback
from collections.abc import Iterable
from datetime import timedelta
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from hilserl_learning.errors import LearningError
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.perception import Perception
from hilserl_learning.replay import Batch
from hilserl_learning.sac import RLPDAgent, Sampler

COLLECTIVE_TIMEOUT_S = 120.0  # for a share of one gradient step, pictures through the trunk included
START_TIMEOUT_S = 180.0  # importing torch takes half a minute on a busy small machine
END_TIMEOUT_S = 5.0
_HOST = "127.0.0.1"
_ALIGNMENT = 8  # bytes: every tensor of a packed share starts at a multiple of its element size

Layout = list[tuple[torch.Size, torch.dtype] | None]


class WorkerFailed(RuntimeError):
    """A worker process is dead, hangs or differs: this team is of no use any more."""


class WorkerTeam:
    """Rank 0 of `ranks` processes. `update` takes the place of the agent's."""

    def __init__(
        self,
        agent: RLPDAgent,
        ranks: int,
        perception: Perception | None = None,
        timeout_s: float = COLLECTIVE_TIMEOUT_S,
    ) -> None:
        """Starts ranks - 1 processes and gives them the agent's state; returns when all are ready.

        Args:
            agent: of this process. The others follow it; load its state before.
            perception: the agent's, where it encodes pictures in updates.
            timeout_s: for what one process computes between two exchanges.

        Raises:
            LearningError: the batch or the devices cannot be shared out.
            WorkerFailed: a process did not start.
        """
        _check_shares(agent, ranks)
        self._agent, self._ranks = agent, ranks
        self._processes: list[Any] = []
        self._pipes: list[Connection] = []
        self._usable = True
        store = dist.TCPStore(_HOST, 0, ranks, is_master=True, wait_for_workers=False)
        try:
            self._start(store.port, perception, timeout_s)
            _join(store, 0, ranks, agent.device, timeout_s)
            agent.generator.share(0, ranks)
            agent.average = _averaged
            state = io.BytesIO()
            torch.save(agent.state_dict(), state)
            self._order(("state", state.getvalue()))
        except BaseException as error:
            failed = self._what_failed(error) if isinstance(error, RuntimeError | OSError) else ""
            self.close()
            if failed:
                raise WorkerFailed(failed) from error
            raise

    def update(self, source: Sampler | Iterable[Batch], utd: int | None = None) -> dict[str, Tensor]:
        """`RLPDAgent.update` on the joint batches of `source`; metrics are means over all rows.

        Raises:
            WorkerFailed: a process died or did not answer; the agent may have done a part of the update.
        """
        self.check()
        try:
            self._order(("update", utd, self._agent.generator.get_state()))
            return self._agent.update(_Scatter(self, source), utd)
        except BaseException as error:
            self._usable = False  # the others may be anywhere in this update
            if isinstance(error, RuntimeError | OSError):
                raise WorkerFailed(self._what_failed(error)) from error
            raise

    def check(self) -> None:
        """Raises WorkerFailed if a process has died or an update was broken off."""
        if not self._usable or not all(process.is_alive() for process in self._processes):
            self._usable = False
            raise WorkerFailed(self._what_failed(None))

    def verify(self) -> None:
        """Raises WorkerFailed unless all processes hold exactly the same networks."""
        self.check()
        try:
            self._order(("digest",))
            found = [pipe.recv() for pipe in self._pipes]
        except (OSError, EOFError) as error:
            raise WorkerFailed(self._what_failed(error)) from error
        mine = _digest(self._agent)
        differing = [rank for rank, digest in enumerate(found, start=1) if digest != mine]
        if differing:
            self._usable = False
            raise WorkerFailed(f"learner workers {differing}: networks differ from those of rank 0")

    def close(self) -> None:
        """Ends the other processes; the agent goes on alone."""
        self._usable = False
        for pipe in self._pipes:
            pipe.close()  # they end by that
        for process in self._processes:
            process.join(END_TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join()
        if dist.is_initialized():
            dist.destroy_process_group()
        self._agent.generator.share(0, 1)
        self._agent.average = None

    def share_out(self, batch: Batch) -> Batch:
        """Sends every other process its rows of a joint batch; returns those of this one."""
        shares = [_rows(batch, rank, self._ranks) for rank in range(self._ranks)]
        layout: Layout = [None if t is None else (t.shape, t.dtype) for t in shares[0]]
        self._order(("batch", layout, batch.state.device.type))
        packed = [_pack(share, layout) for share in shares]
        dist.scatter(torch.empty_like(packed[0]), packed, src=0)
        return shares[0]

    def _start(self, port: int, perception: Perception | None, timeout_s: float) -> None:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        resource_tracker.ensure_running()  # unblocks SIGINT and SIGTERM (CPython 3.11), whoever blocked them
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        spawn = torch.multiprocessing.get_context("spawn")
        blob = None if perception is None else perception.to_bytes()
        config, device = self._agent.cfg.to_json(), self._agent.device.type
        for rank in range(1, self._ranks):
            mine, theirs = spawn.Pipe()
            arguments = (rank, self._ranks, port, theirs, config, device, blob, timeout_s)
            process = spawn.Process(target=_work, args=arguments, name=f"worker_{rank}", daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(mine)
        for rank, pipe in enumerate(self._pipes, start=1):
            if not pipe.poll(START_TIMEOUT_S):
                raise WorkerFailed(f"learner worker {rank}: not up after {START_TIMEOUT_S:g} s")
            try:
                text = pipe.recv()
            except EOFError as error:
                raise WorkerFailed(self._what_failed(error)) from error
            if text:
                raise WorkerFailed(f"learner worker {rank} failed: {text}")

    def _order(self, order: tuple[Any, ...]) -> None:
        for pipe in self._pipes:
            pipe.send(order)

    def _what_failed(self, error: BaseException | None) -> str:
        """The dead processes and their last words; a socket closes before the kernel has reaped its owner."""
        if error is not None and self._processes:
            self._processes[0].join(1.0)
        texts = []
        for rank, (process, pipe) in enumerate(zip(self._processes, self._pipes, strict=True), start=1):
            process.join(0.1)
            if process.exitcode is not None:
                texts.append(
                    f"learner worker {rank} of {self._ranks - 1} ended, exit code {process.exitcode}"
                )
                texts[-1] += _last_words(pipe)
        if texts:
            return "; ".join(texts)
        if isinstance(error, WorkerFailed):
            return str(error)
        return f"learner workers: {error}" if error else "learner workers: an update was broken off"


class _Scatter:
    """Joint batches of rank 0, shared out as they are drawn."""

    def __init__(self, team: WorkerTeam, source: Sampler | Iterable[Batch]) -> None:
        self._team = team
        self._next = source.sample if hasattr(source, "sample") else iter(source).__next__

    def sample(self) -> Batch:
        return self._team.share_out(self._next())


class _Gather:
    """The same on the other ranks: their rows of every joint batch."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def sample(self) -> Batch:
        kind, layout, device = self._pipe.recv()
        if kind != "batch":
            raise RuntimeError(f"rank 0 sent '{kind}' instead of a batch")
        packed = torch.empty(_offsets(layout)[-1], dtype=torch.uint8, device=device)
        dist.scatter(packed, None, src=0)
        return _unpack(packed, layout)


def _work(
    rank: int,
    ranks: int,
    port: int,
    pipe: Connection,
    config: str,
    device: str,
    perception: bytes | None,
    timeout_s: float,
) -> None:
    """Main function of the ranks after 0. Ends when rank 0 closes the pipe, by dying too."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they may reach the whole group: rank 0 decides
        signal.signal(number, signal.SIG_IGN)
    try:
        torch.set_num_threads(1)
        place = torch.device(device, rank) if device == "cuda" else torch.device(device)
        features = None if perception is None else Perception.from_bytes(perception, place)
        agent = RLPDAgent(LearnerConfig.from_json(config), 0, place, perception=features)
        pipe.send("")
        _join(dist.TCPStore(_HOST, port, ranks, is_master=False), rank, ranks, place, timeout_s)
        agent.generator.share(rank, ranks)
        agent.average = _averaged
        _obey(agent, pipe)
    except (EOFError, ConnectionError):
        return
    except Exception as error:
        _report(pipe, error)
        raise SystemExit(1) from error


def _obey(agent: RLPDAgent, pipe: Connection) -> None:
    shares = _Gather(pipe)
    while True:
        order, *details = pipe.recv()
        if order == "update":
            utd, random_state = details
            agent.generator.set_state(random_state)
            agent.update(shares, utd)
        elif order == "state":
            agent.load_state_dict(torch.load(io.BytesIO(details[0]), map_location="cpu", weights_only=True))
        elif order == "digest":
            pipe.send(_digest(agent))
        else:
            raise RuntimeError(f"rank 0 sent '{order}', which is not an order")


def _report(pipe: Connection, error: Exception) -> None:
    try:
        pipe.send("".join(traceback.format_exception_only(error)).strip())
    except OSError:
        return  # rank 0 is gone


def _last_words(pipe: Connection) -> str:
    text = ""
    try:
        while pipe.poll():
            text = str(pipe.recv()) or text
    except (OSError, EOFError):
        pass  # it died without a word
    return f": {text}" if text else ""


def _check_shares(agent: RLPDAgent, ranks: int) -> None:
    if ranks < 2:
        raise LearningError(f"workers: {ranks} processes, a team has at least 2")
    if agent.cfg.batch_size % ranks:
        fitting = max(1, round(agent.cfg.batch_size / ranks)) * ranks
        raise LearningError(
            f"workers: {ranks} do not share a batch_size of {agent.cfg.batch_size} equally; "
            f"example: batch_size {fitting}"
        )
    devices = torch.cuda.device_count()
    if agent.device.type == "cuda" and devices < ranks:
        raise LearningError(
            f"workers: {ranks}, but this machine has {devices} CUDA devices and each process needs its own; "
            f"example: workers:={max(1, devices)}"
        )


def _join(store: dist.Store, rank: int, ranks: int, device: torch.device, timeout_s: float) -> None:
    """Enters the process group. All ranks are on this machine, so they meet on its loopback interface."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    options: dict[str, Any] = {"backend": "gloo"}
    if device.type == "cuda":
        torch.cuda.set_device(device)
        options = {"backend": "cpu:gloo,cuda:nccl"}
    timeout = timedelta(seconds=timeout_s)
    dist.init_process_group(store=store, rank=rank, world_size=ranks, timeout=timeout, **options)


def _averaged(
    gradients: dict[str, tuple[Tensor, ...]], metrics: dict[str, Tensor]
) -> tuple[dict[str, tuple[Tensor, ...]], dict[str, Tensor]]:
    """Means over all ranks, in one all-reduce. Shares are equal, so means of means are means of all rows."""
    parts = [tensor for group in gradients.values() for tensor in group] + list(metrics.values())
    flat = torch.cat([part.reshape(-1) for part in parts])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    pieces = iter(flat.split([part.numel() for part in parts]))
    mean = {
        name: tuple(next(pieces).view_as(tensor) for tensor in group) for name, group in gradients.items()
    }
    return mean, {name: next(pieces).view_as(value) for name, value in metrics.items()}


def _rows(batch: Batch, rank: int, ranks: int) -> Batch:
    rows = [None if tensor is None else tensor.chunk(ranks)[rank] for tensor in batch]
    return Batch(*rows)  # type: ignore[arg-type]


def _offsets(layout: Layout) -> list[int]:
    """First byte of every tensor of a packed share, and the length of the whole."""
    offsets = [0]
    for entry in layout:
        size = 0 if entry is None else entry[0].numel() * entry[1].itemsize
        offsets.append(offsets[-1] + -(-size // _ALIGNMENT) * _ALIGNMENT)
    return offsets


def _pack(share: Batch, layout: Layout) -> Tensor:
    """All tensors of a share as one row of bytes: one exchange a batch, whatever it is made of."""
    offsets = _offsets(layout)
    packed = torch.zeros(offsets[-1], dtype=torch.uint8, device=share.state.device)
    for tensor, start in zip(share, offsets, strict=False):
        if tensor is not None and tensor.numel():
            data = tensor.contiguous().reshape(-1).view(torch.uint8)
            packed[start : start + len(data)] = data
    return packed


def _unpack(packed: Tensor, layout: Layout) -> Batch:
    tensors: list[Tensor | None] = []
    for entry, start in zip(layout, _offsets(layout), strict=False):
        if entry is None:
            tensors.append(None)
            continue
        shape, dtype = entry
        data = packed[start : start + shape.numel() * dtype.itemsize]
        tensors.append(data.view(dtype).view(shape) if len(data) else torch.empty(shape, dtype=dtype))
    return Batch(*tensors)  # type: ignore[arg-type]


def _digest(agent: RLPDAgent) -> str:
    """SHA-256 of all networks and the temperature."""
    digest = hashlib.sha256()
    state = agent.state_dict()
    tensors = [tensor for module in state["modules"].values() for tensor in module.values()]
    for tensor in [*tensors, state["raw_temperature"]]:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
