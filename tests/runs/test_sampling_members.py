"""Members are the same however many are asked for; an interrupted forecast goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noisy_world import NoisyWorld, fields_of

from wxreg.data import forecast_files
from wxreg.data.forecast_files import open_forecast, read_claim
from wxreg.data.forecast_index import read_index
from wxreg.errors import Conflict, UsageError
from wxreg.ledger import queries
from wxreg.runs.sampling.sample import SampleOptions


def test_members_do_not_depend_on_how_many_are_asked_for(noisy: NoisyWorld) -> None:
    """Three members in batches of two: the last batch is padded, and so has the same bits."""
    three = noisy.sample(noisy.plan(members=3))
    five = noisy.sample(noisy.plan(members=5))
    assert len(fields_of(three.forecast)) == 2 * 3 * 2
    assert fields_of(three.forecast) == fields_of(five.forecast, 3)
    own = [entry.digest for entry in read_index(five.forecast)]
    assert len(set(own)) == len(own), "two members are alike"


def test_other_inits_leave_the_members_of_an_init_alone(noisy: NoisyWorld) -> None:
    both = noisy.sample(noisy.plan(members=2))
    one = noisy.sample(noisy.plan(members=2, times=("2023-01-05T06:00",)))
    assert fields_of(one.forecast).items() <= fields_of(both.forecast).items()


def test_another_member_batch_differs_by_rounding_only(noisy: NoisyWorld) -> None:
    two = noisy.sample(noisy.plan(members=3))
    one = noisy.sample(noisy.plan("sampling.member_batch=1", members=3))
    a, b = open_forecast(two.forecast), open_forecast(one.forecast)
    for name in ("t2m", "refc"):
        scale = float(a[name].std())
        assert float(np.abs(a[name] - b[name]).max()) <= 1e-5 * scale


def test_an_interrupted_forecast_goes_on_where_it_stopped(
    noisy: NoisyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = noisy.plan(members=12, seed=3)
    whole = noisy.sample(plan)
    write, calls = forecast_files.ForecastWriter.write, []

    def counted(self: Any, *words: Any) -> None:
        if len(calls) == 10:
            raise SystemExit(143)
        calls.append(words)
        write(self, *words)

    monkeypatch.setattr(forecast_files.ForecastWriter, "write", counted)
    with pytest.raises(SystemExit):
        noisy.sample(plan)
    with noisy.world.ledger() as ledger:
        assert queries.runs(ledger)[0].state == "killed"
    again: list[Any] = []

    def counting(self: Any, *words: Any) -> None:
        again.append(words)
        write(self, *words)

    monkeypatch.setattr(forecast_files.ForecastWriter, "write", counting)
    made = noisy.sample(plan)
    assert 0 < len(again) < 12
    assert made.digest == whole.digest
    assert read_claim(made.forecast)["claim"]["sampling_run"] == made.run


def test_a_place_outside_the_workspace_is_refused(noisy: NoisyWorld, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        noisy.sample(noisy.plan(), SampleOptions(out=tmp_path / "away.zarr", quiet=True))
    assert caught.value.code == "REG-203"


def test_a_place_that_is_taken_is_refused(noisy: NoisyWorld) -> None:
    taken = noisy.world.root / "forecasts" / "there.zarr"
    taken.mkdir()
    with pytest.raises(Conflict) as caught:
        noisy.sample(noisy.plan(), SampleOptions(out=taken, quiet=True))
    assert caught.value.code == "REG-600"
    assert not list(taken.iterdir())


def test_a_finished_forecast_is_never_written_over(noisy: NoisyWorld) -> None:
    target = SampleOptions(out=Path("forecasts/mine.zarr"), quiet=True, accelerator="cpu")
    made = noisy.sample(noisy.plan(), target)
    before = fields_of(made.forecast)
    with pytest.raises(Conflict) as caught:
        noisy.sample(noisy.plan(), target)
    assert caught.value.code == "REG-600"
    assert fields_of(made.forecast) == before
