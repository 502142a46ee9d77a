"""What goes wrong says what, where and how to mend it, and nothing that was there is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_world import World, environment, make_world

from wxreg.errors import Incompatible, IntegrityError, RegError
from wxreg.ledger import queries
from wxreg.runs.devices import choose_accelerator
from wxreg.runs.training.train import TrainOptions, train

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


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("train", "tiny-v1", "--set", "training.bach=4"), 2),
        (("train", "tiny-v1", "--device", "tpu"), 2),
        (("sample", "tiny-v1", "--device", "gpu"), 2),
        pytest.param(
            ("train", "tiny-v1", "--device", "cuda"),
            4,
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here"),
        ),
    ],
)
def test_bad_input_never_loads_torch(
    made_world: World, words: tuple[str, ...], status: int
) -> None:
    script = (
        "import sys\nfrom wxreg.cli.main import run\n"
        "try:\n    run(sys.argv[2:])\nexcept SystemExit as end:\n"
        "    assert end.code == int(sys.argv[1]), end.code\n"
        "    assert 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-c", script, str(status), *made_world.command()[1:], *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    assert words[-1].split("=")[0] in done.stderr + done.stdout


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


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(Incompatible) as caught:
        choose_accelerator("tpu")
    assert caught.value.code == "REG-460"
    assert "cpu" in str(caught.value.hint)


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


def test_a_world_without_its_bytes_is_told_how_to_fetch_them(tmp_path: Path) -> None:
    import shutil

    world = make_world(tmp_path / "gone")
    shutil.rmtree(world.root / "data")
    assert _caught(world, world.plan()).code[:5] in ("REG-3", "REG-7")
