"""Members are the same however many are asked for; an interrupted forecast goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_world import World

from wxreg.artifacts.digests import file_digest
from wxreg.data import forecast_files
from wxreg.data.forecast_files import open_forecast, read_claim, read_index
from wxreg.errors import Conflict, Incompatible, RegError
from wxreg.ledger import queries
from wxreg.runs.reproducing import compare_checkpoints, reproduce
from wxreg.runs.sampling import Sampled, SampleOptions, load_weights_of, sample
from wxreg.runs.training import Trained, TrainOptions, train

QUIET = SampleOptions(quiet=True, accelerator="cpu")
TIMES = ("2023-01-05T00:00", "2023-01-05T06:00")


@pytest.fixture(scope="module")
def trained_once(
    made_world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, Trained]:
    """A world in which the diffusion ensemble was trained for three steps."""
    world = World(shutil.copytree(made_world.root, tmp_path_factory.mktemp("noisy") / "world"))
    plan = world.plan("noisy-v1", "training.steps=3")
    with world.ledger() as ledger:
        made = train(world.library, ledger, plan, TrainOptions(quiet=True, accelerator="cpu"))
    return world, made


def _plan(found: tuple[World, Trained], *sets: str, **more: Any) -> Any:
    world, made = found
    more = {"times": TIMES, "task": "sample", "checkpoint": file_digest(made.checkpoint), **more}
    return world.plan("noisy-v1", *sets, **more)


def _sample(found: tuple[World, Trained], plan: Any, options: SampleOptions = QUIET) -> Sampled:
    world, made = found
    with world.ledger() as ledger:
        weights = load_weights_of(world.library, plan, made.checkpoint, made.run)
        return sample(world.library, ledger, plan, weights, options)


def _fields(path: Path, members: int) -> dict[Any, str]:
    return {entry.place(): entry.digest for entry in read_index(path) if entry.member < members}


def test_members_do_not_depend_on_how_many_are_asked_for(
    trained_once: tuple[World, Trained],
) -> None:
    three = _sample(trained_once, _plan(trained_once, members=3))
    five = _sample(trained_once, _plan(trained_once, members=5))
    assert len(_fields(three.forecast, 3)) == 2 * 3 * 2
    assert _fields(three.forecast, 3) == _fields(five.forecast, 3)
    own = [entry.digest for entry in read_index(five.forecast)]
    assert len(set(own)) == len(own), "two members are alike"


def test_another_member_batch_differs_by_rounding_only(
    trained_once: tuple[World, Trained],
) -> None:
    two = _sample(trained_once, _plan(trained_once, members=3))
    one = _sample(trained_once, _plan(trained_once, "sampling.member_batch=1", members=3))
    a, b = open_forecast(two.forecast), open_forecast(one.forecast)
    for name in ("t2m", "refc"):
        scale = float(a[name].std())
        assert float(np.abs(a[name] - b[name]).max()) <= 1e-5 * scale


def test_an_interrupted_forecast_goes_on_where_it_stopped(
    trained_once: tuple[World, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = trained_once
    plan = _plan(trained_once, members=12, seed=3)
    whole = _sample(trained_once, plan)
    write, calls = forecast_files.ForecastWriter.write, []

    def counted(self: Any, *words: Any) -> None:
        if len(calls) == 10:
            raise SystemExit(143)
        calls.append(words)
        write(self, *words)

    monkeypatch.setattr(forecast_files.ForecastWriter, "write", counted)
    with pytest.raises(SystemExit):
        _sample(trained_once, plan)
    with world.ledger() as ledger:
        assert queries.runs(ledger)[0].state == "killed"
    again: list[Any] = []

    def counting(self: Any, *words: Any) -> None:
        again.append(words)
        write(self, *words)

    monkeypatch.setattr(forecast_files.ForecastWriter, "write", counting)
    made = _sample(trained_once, plan)
    assert 0 < len(again) < 12
    assert made.digest == whole.digest
    assert read_claim(made.forecast)["claim"]["sampling_run"] == made.run


def test_a_place_that_is_taken_is_refused(
    trained_once: tuple[World, Trained], tmp_path: Path
) -> None:
    taken = tmp_path / "there.zarr"
    taken.mkdir()
    with pytest.raises(Conflict) as caught:
        _sample(trained_once, _plan(trained_once), SampleOptions(out=taken, quiet=True))
    assert caught.value.code == "REG-600"


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_smaller_weights_say_how_far_they_moved_the_forecast(
    trained_once: tuple[World, Trained], precision: str
) -> None:
    world, _ = trained_once
    made = _sample(trained_once, _plan(trained_once, f"sampling.precision={precision}"))
    with world.ledger() as ledger:
        moved = queries.run(ledger, made.run).outcome["deviation"]
    assert 0 < moved["root_mean_square"] < moved["largest"] < 1


@pytest.mark.parametrize(
    "setting",
    [
        "sampling.compile=true",
        "sampling.strategy=perturbed-inputs",
        "sampling.missing=previous",
        "sampling.tile=8",
    ],
)
def test_what_is_not_carried_out_is_refused(
    trained_once: tuple[World, Trained], setting: str
) -> None:
    with pytest.raises(Incompatible, match=r"not carried out|cannot be made in tiles") as caught:
        _sample(trained_once, _plan(trained_once, setting))
    assert caught.value.code == "REG-461"
    assert caught.value.hint


def test_a_forecast_is_reproduced_bit_by_bit(trained_once: tuple[World, Trained]) -> None:
    world, _ = trained_once
    made = _sample(trained_once, _plan(trained_once, members=3))
    with world.ledger() as ledger:
        found = reproduce(world.library, ledger, made.run, quiet=True)
    assert (found.verdict, found.difference) == ("identical", None)
    assert found.then["member_batch"] == found.now["member_batch"] == 2


def test_a_training_is_reproduced_and_a_changed_constant_names_its_layer(
    copies: Callable[[str], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = copies("again")
    with world.ledger() as ledger:
        one = train(world.library, ledger, world.plan(), TrainOptions(quiet=True))
        found = reproduce(world.library, ledger, one.run, quiet=True)
        assert (found.verdict, found.difference) == ("identical", None)
        wider = world.plan("tiny-v1", "architecture.settings.base=6")
        other = train(world.library, ledger, wider, TrainOptions(quiet=True))
        slower = world.plan("tiny-v1", "training.optimiser.rate=0.004")
        moved = train(world.library, ledger, slower, TrainOptions(quiet=True))
    shapes = compare_checkpoints(one.checkpoint, other.checkpoint)
    assert shapes is not None and "network" in shapes["layer"] and "against" in shapes["why"]
    values = compare_checkpoints(one.checkpoint, moved.checkpoint)
    assert values is not None and values["layer"] and values["largest"] > 0


def test_only_finished_runs_are_reproduced(trained_once: tuple[World, Trained]) -> None:
    world, _ = trained_once
    with world.ledger() as ledger, pytest.raises(RegError):
        reproduce(world.library, ledger, "train-20200101-000000-000000")
