"""Bad input of an evaluation: every reason is named at once, before any field is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from metric_worlds import LEXICON, NAMES, every_metric, forecast_store, truth_store

from wxreg.errors import Incompatible
from wxreg.runs.evaluating.checks import Sides, check_evaluation
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.evaluating.needs import metric_findings
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tallying import tallied
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.specs.protocol import Protocol

HOUR = 3600
TIMES = np.datetime64("2023-06-01", "ns") + np.arange(12) * np.timedelta64(1, "h")
START = int(TIMES[0].astype("datetime64[s]").astype(int))


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    folder = tmp_path_factory.mktemp("bad")
    fields = {name: np.ones((12, 4, 6), "f4") for name in NAMES}
    truth = truth_store(folder / "truth.zarr", fields, TIMES)
    made = np.zeros((2, 1, 2, len(NAMES), 4, 6))
    path = forecast_store(folder / "made.zarr", truth, NAMES, (START, START + HOUR),
                          (HOUR, 2 * HOUR), made)  # fmt: skip
    return Sides(ForecastFields(path), truth)


def said(sides: Sides, wanted: Protocol) -> str:
    with pytest.raises(Incompatible) as caught:
        check_evaluation(sides, wanted, LEXICON)
    assert caught.value.code == "REG-465"
    return caught.value.message


def test_all_reasons_of_a_protocol_come_together(sides: Sides) -> None:
    """Metrics that do not exist, settings, missing events, histograms without ends, vectors."""
    lexicon = {**LEXICON, "t2m": LEXICON["t2m"].model_copy(update={"range": (None, None)})}
    wanted = every_metric(
        variables=["t2m", "refc", "cape_sb"],
        metrics=[{"id": "rmsee"}, {"id": "event_pod"}, {"id": "violation_rate"},
                 {"id": "loglik", "settings": {"bandwith": 1}}, {"id": "vector_rmse"},
                 {"id": "quantile_bias", "variables": ["t2m"]}, {"id": "csi"}],
        thresholds=[{"variable": "refc", "values": [20], "units": ""},
                    {"variable": "t2m", "values": [20], "units": "kg"}],
        events={}, constraints=[],
        masks=[{"name": f"m{n}", "where": "refc > 20"} for n in range(6)],
    )  # fmt: skip
    with pytest.raises(Incompatible) as caught:
        check_evaluation(sides, wanted, lexicon)
    for reason in (
        "no metric 'rmsee'; near: rmse",
        "the protocol declares no events",
        "the protocol declares no constraints",
        "loglik has no setting 'bandwith'; it has bandwidth",
        "both components of a vector",
        "the histogram of t2m needs a low and a high end",
        "the thresholds of refc have no units",
        "the thresholds of t2m: ",
        "the forecast has no cape_sb",
        "the truth has no cape_sb",
        "at most 10 fit",
    ):
        assert reason in caught.value.message, reason


def test_unpaired_times_allow_only_what_pairs_none(sides: Sides) -> None:
    wanted = every_metric(metrics=[{"id": "rmse"}, {"id": "distribution_distance"}],
                          pairing="distribution")  # fmt: skip
    message = said(sides, wanted)
    assert "rmse pairs times" in message and "distribution_distance pairs" not in message
    assert "masks and regions need paired times" in message


def test_calendars_levels_and_units_are_compared(sides: Sides, tmp_path: Path) -> None:
    import cftime

    times = xr.date_range("2023-06-01", periods=12, freq="h", calendar="360_day", use_cftime=True)
    assert isinstance(times[0], cftime.Datetime360Day)
    fields = {name: np.ones((12, 4, 6), "f4") for name in NAMES}
    other = truth_store(tmp_path / "other.zarr", fields, times)  # type: ignore[arg-type]
    assert "calendars differ" in said(replace(sides, store=other), every_metric())


def test_a_forecast_beside_must_match(sides: Sides, tmp_path: Path) -> None:
    other = forecast_store(tmp_path / "beside.zarr", sides.store, ("t2m",), (START + 5 * HOUR,),
                           (HOUR,), np.zeros((1, 1, 1, 1, 4, 6)))  # fmt: skip
    wanted = every_metric(metrics=[{"id": "mae"}], variables=["t2m", "refc"], events={},
                          constraints=[])  # fmt: skip
    message = said(replace(sides, beside=(ForecastFields(other),)), wanted)
    for reason in ("beside has no lead 2h", "beside has no initial time", "beside has no refc"):
        assert reason in message, reason


def _plan(**parts: Any) -> Any:
    return SimpleNamespace(**{name: SimpleNamespace(**part) for name, part in parts.items()})


def test_climate_needs_days_and_blocks_need_the_input() -> None:
    """The plans are as far as the checks look at them."""
    wanted = every_metric(
        variables=["precip_day"], metrics=[{"id": "rx1day"}, {"id": "violation_rate"}],
        thresholds=[], events={}, masks=[],
        constraints=[{"name": "conserves_blocks", "tolerance": 0.1,
                      "settings": {"variable": "precip_day"}}],
    )  # fmt: skip
    hourly = _plan(truth={"cadence": SimpleNamespace(seconds=HOUR)}).truth
    sampled = _plan(inputs={"channels": ("t2m",)})
    found = list(metric_findings(sampled, hourly, wanted, LEXICON))
    assert any("climate metrics need daily data" in one for one in found)
    assert any("precip_day among the model's inputs" in one for one in found)
    grids = _plan(
        inputs={"channels": ("precip_day",), "grid": SimpleNamespace(shape=(3, 4))},
        targets={"grid": SimpleNamespace(shape=(10, 12))},
    )
    found = list(metric_findings(grids, None, wanted, LEXICON))
    assert any("do not divide" in one for one in found)


def test_overlapping_and_missing_valid_times_are_counted(sides: Sides) -> None:
    """Two inits an hour apart share a valid time; the members of a lost init change nothing."""
    forecast = sides.forecast
    valid = [start.init + lead for start in forecast.starts for lead in forecast.leads]
    assert len(valid) - len(set(valid)) == 1
    wanted = every_metric(metrics=[{"id": "mae"}], variables=["t2m"], events={}, constraints=[],
                          masks=[], regions=[])  # fmt: skip
    scoring = Scoring(wanted, NAMES, Domain(3.0, 3.0), LEXICON, forecast.lat, forecast.lon)
    truth = TruthFields(sides.store, NAMES)
    truth._places.pop((0, START + 3 * HOUR))
    tally = tallied(Streams(scoring, forecast, truth))
    assert (tally.pairs, tally.missing) == (3, ["2023-06-01T03:00"])
