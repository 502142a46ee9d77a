"""What goes wrong while training says what, where and how to mend it, and loses nothing."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from child_training import Job, Moment, run, run_until_a_worker_dies, start
from tiny_world import World, environment

from wxreg.artifacts.checkpoint_file import read_checkpoint, write_checkpoint
from wxreg.data.samples import LoaderSettings
from wxreg.errors import (
    Conflict,
    Incompatible,
    IntegrityError,
    RegError,
    StorageError,
)
from wxreg.ledger import queries
from wxreg.runs.checkpoints import raw_tensors
from wxreg.runs.locking import plan_lock
from wxreg.runs.training import loop as training_loop
from wxreg.runs.training.memory import out_of_memory
from wxreg.runs.training.train import TrainOptions, train

OPTIONS = TrainOptions(quiet=True, accelerator="cpu", resume_seconds=0)


def _train(world: World, plan: Any, options: TrainOptions = OPTIONS) -> Any:
    with world.ledger() as ledger:
        return train(world.library, ledger, plan, options)


def _caught(world: World, plan: Any, options: TrainOptions = OPTIONS) -> RegError:
    with pytest.raises(RegError) as caught:
        _train(world, plan, options)
    return caught.value


def _point(world: World) -> Path:
    (point,) = world.root.glob("runs/*/resume/point.safetensors")
    return point


def _after_point(monkeypatch: pytest.MonkeyPatch, step: int, harm: Callable[[], None]) -> None:
    """Do some harm as soon as the resume point of a step is written."""
    save = training_loop.save_point

    def harming(*words: Any) -> None:
        save(*words)
        if words[1].step == step:
            harm()

    monkeypatch.setattr(training_loop, "save_point", harming)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", ["vanished", "truncated"])
def test_a_data_file_that_goes_mid_epoch_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str, workers: int
) -> None:
    reading_each_time = partial(LoaderSettings, memory=0)
    monkeypatch.setattr("wxreg.runs.stores.LoaderSettings", reading_each_time)

    def harm() -> None:
        for chunk in (world.store / "refc" / "c").rglob("*"):
            if chunk.is_file() and how == "truncated":
                chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
            elif chunk.is_file():
                chunk.unlink()

    _after_point(monkeypatch, 3, harm)
    options = TrainOptions(quiet=True, accelerator="cpu", resume_seconds=0, workers=workers)
    error = _caught(world, world.plan(), options)
    assert type(error) is IntegrityError
    assert str(world.store) in str(error.where)
    assert "refc" in error.message and "2023-01-0" in error.message
    assert "batch" in error.message and "windows" in error.message
    assert "resume point is kept" in str(error.hint)
    assert read_checkpoint(_point(world)).metadata["step"] >= 3


def test_a_worker_that_is_killed_is_no_mystery(world: World) -> None:
    code, message, hint = run_until_a_worker_dies(world.root, ("training.steps=60",))
    assert code == "REG-730"
    assert "--workers" in hint and "--resume" in hint and "steps" in message
    assert _point(world).is_file()


def test_a_loss_that_is_no_number_names_its_batch_and_keeps_the_last_good_state(
    world: World,
) -> None:
    import numpy as np

    plan = world.plan("tiny-v1", "training.optimiser.rate=1e30", "training.steps=30")
    error = _caught(world, plan)
    assert (error.code, isinstance(error, Incompatible)) == ("REG-460", True)
    assert "alpha@tiny" in error.message and "2023-01-0" in error.message
    assert "t2m, refc" in error.message and "batch" in str(error.where)
    assert "training.clip" in str(error.hint) and "training.initial" in str(error.hint)
    kept = read_checkpoint(_point(world)) if list(world.root.glob("runs/*/resume/p*")) else None
    if kept is not None:
        weights = [t.numpy() for k, t in kept.tensors.items() if k.startswith("weights.")]
        assert all(np.isfinite(one).all() for one in weights)


def test_a_state_that_explodes_is_dropped_for_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of step 4 are spoilt: the point of step 3 is the last good one."""
    from wxreg.runs.training.module import TrainingModule

    step = TrainingModule.optimizer_step

    def spoiling(self: TrainingModule, *words: Any, **more: Any) -> None:
        step(self, *words, **more)
        if self.step == 4:
            for weights in self.forecaster.parameters():
                weights.data.mul_(1e20)

    monkeypatch.setattr(TrainingModule, "optimizer_step", spoiling)
    error = _caught(world, world.plan())
    assert error.code == "REG-460" and "loss became" in error.message
    assert read_checkpoint(_point(world)).metadata["step"] == 3
    monkeypatch.undo()
    options = TrainOptions(quiet=True, accelerator="cpu", resume=True)
    assert _train(world, world.plan(), options).state == "finished"


MEMORY = """
import resource, sys
from wxreg.cli.main import run
from wxreg.runs.training.module import TrainingModule
step = TrainingModule.training_step
def tight(self, batch, number):
    pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    room = pages + int(sys.argv[1]) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
    return step(self, batch, number)
TrainingModule.training_step = tight
run(sys.argv[2:])
"""
"""Data are loaded and threads stand: what finds no room is the step itself."""


def test_when_memory_runs_out_the_setting_to_change_is_named(world: World) -> None:
    """A network too wide for the address space that the process may have."""
    wide = ("architecture.settings.base=128", "architecture.settings.widest=1")
    sets = [word for one in (*wide, "training.batch=64") for word in ("--set", one)]
    command = [sys.executable, "-c", MEMORY, "40", *world.command("train", "tiny-v1", *sets)[1:]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120)
    import json

    assert done.returncode == 7, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "REG-760", error
    assert "64 samples" in error["message"]
    asked = int(error["hint"].split("training.accumulate=")[1].split()[0])
    assert asked >= 2 and 64 % asked == 0
    assert "training.recompute=true" in error["hint"]
    with world.ledger() as ledger:
        assert [one.state for one in queries.runs(ledger)] == ["failed"]


def test_the_advice_for_memory_divides_the_batch(made_world: World) -> None:
    text = "you tried to allocate 9000000000000 bytes"
    hint = str(out_of_memory(RuntimeError(text), made_world.plan()).hint)
    assert "training.accumulate=4 computes 1 of the 4 samples" in hint
    small = made_world.plan("tiny-v1", "training.batch=1")
    assert "training.tile" in str(out_of_memory(MemoryError(), small).hint)


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "last.safetensors"
    write_checkpoint(path, raw_tensors({"w": torch.zeros(10)}), {})
    before = path.read_bytes()
    with _files_of_at_most(4096), pytest.raises(StorageError) as caught:
        write_checkpoint(path, raw_tensors({"w": torch.zeros(10_000)}), {})
    assert caught.value.code == "REG-820"
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_fills_mid_training_leaves_point_and_checkpoint_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From step 7 on no file may grow beyond 8 kB; the run ends, and resumes with room again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))

    _after_point(monkeypatch, 7, fill)
    plan = world.plan()
    try:
        with pytest.raises(RegError) as caught:
            _train(world, plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(caught.value, StorageError), caught.value
    assert read_checkpoint(_point(world)).metadata["step"] == 7
    (best,) = world.root.glob("runs/*/checkpoints/best.safetensors")
    assert read_checkpoint(best).tensors
    monkeypatch.undo()
    resumed = _train(world, plan, TrainOptions(quiet=True, accelerator="cpu", resume=True))
    assert resumed.sha256 == _train(world, plan).sha256


def test_the_second_training_of_a_plan_is_told(world: World) -> None:
    plan = world.plan("tiny-v1", "training.steps=2")
    with plan_lock(world.root, plan.digest(), wait=False):
        error = _caught(world, plan)
    assert (error.code, type(error)) == ("REG-660", Conflict)
    assert "--wait" in str(error.hint)
    assert not list(world.root.glob("runs/*"))


@pytest.mark.slow
def test_the_second_of_two_commands_is_told(world: World) -> None:
    words = ("train", "tiny-v1", "--threads", "1", "--set", "training.steps=1000000")
    first = subprocess.Popen(
        world.command(*words), env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        _wait_for(lambda: bool(list(world.root.glob("runs/train-*"))))
        status, told = world.reg(*words)
        assert (status, told["error"]["code"]) == (6, "REG-660")
        assert "--wait" in told["error"]["hint"]
        assert first.poll() is None
    finally:
        first.terminate()
        first.wait(60)
    assert first.returncode == 143


def test_a_training_that_queues_finds_what_the_first_one_made(world: World) -> None:
    sets = ("training.steps=150",)
    first = start(Job(world.root, sets))
    _wait_for(lambda: bool(list(world.root.glob("runs/train-*"))))
    plan = world.plan("tiny-v1", *sets)
    queued = _train(world, plan, TrainOptions(quiet=True, accelerator="cpu", wait=True))
    first.join(60)
    with world.ledger() as ledger:
        runs = queries.runs(ledger)
    assert [one.state for one in runs] == ["finished"]
    assert queued.reused and queued.run == runs[0].id


def _wait_for(ready: Callable[[], bool], seconds: float = 150) -> None:
    import time

    limit = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.02)


def test_a_killed_training_lets_the_next_one_begin_at_once(world: World) -> None:
    """Its processes that load data live on for seconds; the plan is free nevertheless."""
    job = Job(world.root, ("training.steps=12",), workers=2, moment=Moment("boundary", 3))
    assert run(job) == -9
    plan = world.plan("tiny-v1", "training.steps=12")
    with plan_lock(world.root, plan.digest(), wait=False):
        pass


def test_errno_of_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    from wxreg.artifacts.sealing import storage_errors

    with pytest.raises(StorageError), storage_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
