"""Trainings in processes of their own that are killed at an exact place, as often as needed.

The processes are forked from a clean server that has loaded torch already, so a case takes a
second.  What is killed is the real training: only the moment is ours.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tiny_world import World

from wxreg.specs.plan import TrainPlan

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["wxreg.runs.training.train", "tiny_world"])


@dataclass(frozen=True)
class Moment:
    """Where a training is killed."""

    place: str
    """``boundary``: a resume point was just written; ``middle``: inside a batch, before its
    gradients; ``writing``: a resume point is half written."""
    step: int
    """Optimizer steps that are done by then."""


@dataclass(frozen=True)
class Job:
    """One training."""

    root: Path
    sets: tuple[str, ...]
    workers: int = 0
    resume: bool = False
    resume_seconds: float = 0.0
    moment: Moment | None = None
    model: str = "tiny-v1"
    devices: int = 1


def start(job: Job) -> Any:
    """Begin a training in a process of its own."""
    process = _SERVER.Process(target=_train, args=(job,))
    process.start()
    return process


def run(job: Job, timeout: float = 90) -> int:
    """Carry out a training in a process of its own; its exit status."""
    process = start(job)
    process.join(timeout)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"{job} did not end within {timeout} s")
    return int(process.exitcode or 0)


def run_until_a_worker_dies(
    root: Path, sets: tuple[str, ...], timeout: float = 90
) -> tuple[str, str, str]:
    """Kill the data workers of a training; the code, message and hint it ends with.

    In a process of its own: torch tells of a lost worker by a signal, whoever is running then.
    """
    ours, theirs = _SERVER.Pipe()
    process = _SERVER.Process(target=_lose_workers, args=(root, sets, theirs))
    process.start()
    theirs.close()
    assert ours.poll(timeout), "the training said nothing"
    found: tuple[str, str, str] = ours.recv()
    process.join(timeout)
    return found


def _lose_workers(root: Path, sets: tuple[str, ...], tell: Connection) -> None:
    from wxreg.errors import RegError
    from wxreg.runs.training import loop as training_loop

    def harm() -> None:
        for child in multiprocessing.active_children():
            os.kill(int(child.pid or 0), signal.SIGKILL)

    save = training_loop.save_point
    training_loop.save_point = _then(save, lambda words: words[1].step == 2, harm)
    try:
        _train(Job(root, sets, workers=1))
    except RegError as error:
        tell.send((error.code, error.message, str(error.hint)))


def run_plan(root: Path, plan: TrainPlan, devices: int = 1, timeout: float = 300) -> int:
    """Train a plan of any workspace in processes of their own; the exit status."""
    process = _SERVER.Process(target=_train_plan, args=(root, plan, devices))
    process.start()
    process.join(timeout)
    return int(process.exitcode or 0)


def _train_plan(root: Path, plan: TrainPlan, devices: int) -> None:
    import torch

    from wxreg.runs.training.train import TrainOptions, train

    torch.set_num_threads(1)
    world = World(root)
    with world.ledger() as ledger:
        train(
            world.library,
            ledger,
            plan,
            TrainOptions(quiet=True, accelerator="cpu", devices=devices),
        )


def _train(job: Job) -> None:
    import torch

    from wxreg.runs.training.train import TrainOptions, train

    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    if job.moment is not None:
        _arm(job.moment)
    world = World(job.root)
    options = TrainOptions(
        quiet=True,
        accelerator="cpu",
        workers=job.workers,
        resume=job.resume,
        devices=job.devices,
        resume_seconds=job.resume_seconds,
    )
    with world.ledger() as ledger:
        train(world.library, ledger, world.plan(job.model, *job.sets), options)


def _arm(moment: Moment) -> None:
    """Put the kill at its place."""
    from wxreg.runs.training import loop as training_loop
    from wxreg.runs.training import resume
    from wxreg.runs.training.module import TrainingModule

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment.place == "boundary":
        save = training_loop.save_point
        training_loop.save_point = _then(save, lambda words: words[1].step == moment.step, die)
    elif moment.place == "middle":
        forward: Callable[..., Any] = TrainingModule.training_step

        def dying(self: TrainingModule, batch: Any, batch_idx: int) -> Any:
            loss = forward(self, batch, batch_idx)
            last_part = self._part == 0
            if self.step == moment.step and last_part:
                die()
            return loss

        TrainingModule.training_step = dying  # type: ignore[method-assign]
    elif moment.place == "writing":
        write = resume.write_checkpoint

        def half(path: Path, tensors: Any, metadata: Any) -> None:
            if metadata["step"] == moment.step:
                path.with_name(f".{path.name}.half").write_bytes(b"half a point")
                die()
            write(path, tensors, metadata)

        resume.write_checkpoint = half
    else:
        raise AssertionError(moment.place)


def _then(
    work: Callable[..., None], when: Callable[[tuple[Any, ...]], bool], end: Callable[[], None]
) -> Callable[..., None]:
    def run(*words: Any) -> None:
        work(*words)
        if when(words):
            end()

    return run
