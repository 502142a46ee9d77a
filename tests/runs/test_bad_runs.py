"""What goes wrong says what, where and how to mend it, and nothing that was there is lost."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_world import World, environment, fields, make_world

from wxreg.artifacts.checkpoint_file import read_checkpoint, write_checkpoint
from wxreg.errors import Conflict, Incompatible, IntegrityError, RegError, StorageError
from wxreg.ledger import queries
from wxreg.runs.checkpoints import raw_tensors
from wxreg.runs.devices import choose_accelerator
from wxreg.runs.locking import plan_lock
from wxreg.runs.training import TrainOptions, train
from wxreg.runs.training_loop import out_of_memory

OPTIONS = TrainOptions(quiet=True, accelerator="cpu", resume_seconds=0)


@pytest.mark.parametrize(
    ("words", "status", "code", "near"),
    [
        (("train", "tiny-v2"), 3, "REG-300", "tiny-v1"),
        (("train", "tiny-v1", "--data", "alfa@tiny"), 3, "REG-300", "alpha"),
        (("train", "tiny-v1", "--data", "alpha@tini"), 3, "REG-300", "tiny"),
        (("train", "tiny-v1", "--set", "training.bach=4"), 2, "REG-200", "training.batch"),
        (("train", "tiny-v1", "--sed", "4"), 2, "REG-290", "--help"),
        (("train", "tiny-v1", "--set", "training.batch=many"), 2, "REG-202", "integer"),
        (("train", "tiny-v1", "--set", "training.batch=0"), 2, "REG-202", "1"),
        (("train", "tiny-v1", "--lead-time", "7h"), 4, "REG-400", "tiny-v1"),
    ],
)
def test_wrong_words_are_told_the_near_ones(
    made_world: World, words: tuple[str, ...], status: int, code: str, near: str
) -> None:
    found, document = made_world.reg(*words)
    error = document["error"]
    assert (found, error["code"]) == (status, code), error
    assert near in f"{error['message']} {error['hint']}"


def test_bad_input_never_loads_torch(made_world: World) -> None:
    script = (
        "import sys\nfrom wxreg.cli.main import run\n"
        "try:\n    run(sys.argv[1:])\nexcept SystemExit as end:\n"
        "    assert end.code == 2, end.code\n    assert 'torch' not in sys.modules\n"
    )
    import sys

    command = [sys.executable, "-c", script, *made_world.command()[1:]]
    words = ("train", "tiny-v1", "--set", "training.bach=4")
    done = subprocess.run([*command, *words], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr


def _train(world: World, plan: Any, options: TrainOptions = OPTIONS) -> Any:
    with world.ledger() as ledger:
        return train(world.library, ledger, plan, options)


def _caught(world: World, plan: Any, options: TrainOptions = OPTIONS) -> RegError:
    with pytest.raises(RegError) as caught:
        _train(world, plan, options)
    return caught.value


def test_statistics_that_changed_are_refused(world: World) -> None:
    plan = world.plan()
    path = world.root / "catalog" / "stats" / "alpha" / "tiny" / "native.yaml"
    text = path.read_text()
    path.write_text(text.replace("mean: ", "mean: 1", 1))
    error = _caught(world, plan)
    assert (error.code, type(error)) == ("REG-560", IntegrityError)
    assert error.hint


def test_data_that_changed_are_refused(world: World) -> None:
    plan = world.plan()
    chunk = next((world.root / "data" / "alpha" / "tiny").rglob("T2/c/*/*/*"))
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    import shutil

    shutil.rmtree(world.store)
    assert isinstance(_caught(world, plan), RegError)
    with world.ledger() as ledger:
        assert not queries.runs(ledger)


@pytest.mark.parametrize("harm", ["vanished", "truncated"])
def test_a_data_file_that_goes_mid_epoch_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setattr("wxreg.data.samples._MEMORY", 0)
    monkeypatch.setattr("wxreg.data.samples.LoaderSettings.memory", 0, raising=False)
    from wxreg.runs import training_loop

    save, done = training_loop.save_point, []

    def harming(*words: Any) -> None:
        save(*words)
        done.append(1)
        if len(done) == 3:
            for chunk in (world.store / "refc" / "c").rglob("*"):
                if chunk.is_file() and harm == "truncated":
                    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
                elif chunk.is_file():
                    chunk.unlink()

    monkeypatch.setattr(training_loop, "save_point", harming)
    error = _caught(world, world.plan())
    assert str(world.store) in str(error.where)
    assert "refc" in error.message and "2023-01-0" in error.message
    assert "batch" in error.message
    (point,) = world.root.glob("runs/*/resume/point.safetensors")
    assert read_checkpoint(point).metadata["step"] == 3


def test_a_loss_that_is_no_number_names_its_batch(world: World) -> None:
    plan = world.plan("tiny-v1", "training.optimiser.rate=1e30", "training.steps=30")
    error = _caught(world, plan)
    assert (error.code, type(error)) == ("REG-460", Incompatible)
    assert "alpha@tiny" in error.message and "2023-01-0" in error.message
    assert "t2m, refc" in error.message and "batch" in str(error.where)
    assert "training.clip" in str(error.hint)
    (point,) = world.root.glob("runs/*/resume/point.safetensors")
    assert read_checkpoint(point).metadata["step"] >= 1


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "last.safetensors"
    write_checkpoint(path, raw_tensors({"w": torch.zeros(10)}), {})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError) as caught:
            write_checkpoint(path, raw_tensors({"w": torch.zeros(10_000)}), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "REG-820"
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_second_training_of_a_plan_is_told_or_queues(world: World) -> None:
    plan = world.plan("tiny-v1", "training.steps=2")
    with plan_lock(world.root, plan.digest(), wait=False):
        error = _caught(world, plan)
        assert (error.code, type(error)) == ("REG-660", Conflict)
        assert "--wait" in str(error.hint)
    began: list[float] = []

    def hold() -> None:
        with plan_lock(world.root, plan.digest(), wait=False):
            ready.set()
            time.sleep(0.5)
            began.append(time.monotonic())

    ready = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    ready.wait(5)
    waiting = TrainOptions(quiet=True, accelerator="cpu", wait=True)
    _train(world, plan, waiting)
    holder.join()
    assert began and time.monotonic() > began[0]


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(Incompatible) as caught:
        choose_accelerator("tpu")
    assert caught.value.code == "REG-460"
    assert "cpu" in str(caught.value.hint)


def test_out_of_memory_says_what_to_change(made_world: World) -> None:
    error = out_of_memory(MemoryError("no room"), made_world.plan())
    assert error.code == "REG-760"
    assert "training.accumulate=2" in str(error.hint)
    small = made_world.plan("tiny-v1", "training.batch=1")
    assert "training.batch" in str(out_of_memory(MemoryError(), small).hint)


@pytest.mark.parametrize("setting", ["training.recompute=true", "training.augment=[flip-x]"])
def test_a_training_that_cannot_be_as_declared_is_refused(world: World, setting: str) -> None:
    error = _caught(world, world.plan("tiny-v1", setting))
    assert error.code == "REG-460"
    assert "not carried out" in error.message and error.hint
    assert not list(world.root.glob("runs/*"))


def test_sigterm_while_sealing_is_recorded_and_harms_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    from wxreg.runs import recording

    seal: Callable[..., None] = recording.seal

    def interrupted(*words: Any) -> None:
        monkeypatch.setattr(recording, "seal", seal)
        os.kill(os.getpid(), signal.SIGTERM)
        seal(*words)

    monkeypatch.setattr(recording, "seal", interrupted)
    plan = world.plan()
    with pytest.raises(SystemExit):
        _train(world, plan)
    with world.ledger() as ledger:
        assert queries.runs(ledger)[0].state == "killed"
    resumed = _train(world, plan, TrainOptions(quiet=True, accelerator="cpu", resume=True))
    assert resumed.sha256 == _train(world, plan).sha256


def test_rare_windows_are_drawn_more_often(world: World) -> None:
    import numpy as np

    from wxreg.runs.training_data import rare_weights, training_source

    plan = world.plan()
    source = training_source(plan, (world.store, world.store))
    shares = (fields()["REFC"].values[source.windows.targets[:, 0]] >= 28.0).mean(axis=(1, 2))
    share = float(np.quantile(shares, 0.8))
    weights = rare_weights(source, _rare(threshold=28.0, share=share), world.store)
    expected = np.where(shares >= share, 5.0, 1.0)
    assert np.array_equal(weights, expected)
    assert {1.0, 5.0} == set(weights.tolist())


def _rare(**parts: Any) -> Any:
    from wxreg.specs.model import RareSampling

    return RareSampling(variable="refc", weight=5.0, **parts)


def test_a_world_without_its_bytes_is_told_how_to_fetch_them(tmp_path: Path) -> None:
    import shutil

    world = make_world(tmp_path / "gone")
    shutil.rmtree(world.root / "data")
    assert _caught(world, world.plan()).code[:5] in ("REG-3", "REG-7")
