"""Climates are compared without pairing days, and constraints look at the coarse input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from metric_worlds import LEXICON, every_metric, forecast_store, truth_store
from scipy.stats import energy_distance, wasserstein_distance

from wxreg.data.fields import FieldStore
from wxreg.runs.evaluating.climate import ClimateDays, heavy_rain_limit, nearest_cells
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tallying import tallied
from wxreg.runs.scoring.files import merged_states
from wxreg.runs.scoring.keys import MODEL, season_bin, year_and_month
from wxreg.runs.scoring.rows import Table, rows_of
from wxreg.runs.scoring.states import field_states
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.catalogue import METRICS

DAY, SHAPE, YEARS, DAYS = 86_400, (3, 4), (2001, 2002, 2003, 2004), 20
NAMES = ("precip_day",)


def rain(seed: int, days: int, wetter: float = 1.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    wet = draw.random((days, *SHAPE)) < 0.4
    return np.asarray(np.where(wet, wetter * draw.gamma(0.8, 8.0, (days, *SHAPE)), 0.0), "f4")


def days_of(first: int, last: int) -> np.ndarray:
    """The first weeks of each year."""
    each = [
        np.datetime64(f"{year}-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")
        for year in range(first, last + 1)
    ]
    return np.concatenate(each)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Truth of four years; two members of the last two years, half as wet again."""
    folder = tmp_path_factory.mktemp("climate")
    times = days_of(YEARS[0], YEARS[-1])
    real = rain(0, len(times))
    truth = truth_store(folder / "truth.zarr", {"precip_day": real}, times)
    late = times >= np.datetime64("2003-01-01")
    made = np.stack([rain(seed, int(late.sum()), 1.5) for seed in (1, 2)], 1)
    inits = tuple(int(t) for t in times[late].astype("datetime64[s]").astype(int))
    path = forecast_store(folder / "made.zarr", truth, NAMES, inits, (0,),
                          made[:, :, None, None])  # fmt: skip
    return truth, path, real[late], made


def streams(world: tuple[Path, Path, np.ndarray, np.ndarray], pairing: str) -> Streams:
    truth, path, _, _ = world
    wanted = every_metric(
        frozenset(METRICS[m].statistic for m in METRICS) - {"climate", "distribution"},
        variables=list(NAMES), thresholds=[], events={}, constraints=[], masks=[], regions=[],
        bins=["lead"], pairing=pairing,
    )  # fmt: skip
    forecast = ForecastFields(path)
    fields = TruthFields(truth, NAMES)
    scoring = Scoring(wanted, NAMES, Domain(3.0, 3.0), LEXICON, forecast.lat, forecast.lon)
    early = np.array(["2001-01-01", "2003-01-01", "2005-01-01"], "datetime64[s]").astype(int)
    limit = heavy_rain_limit(FieldStore(truth, NAMES), NAMES[0], ((early[0], early[1]),), 1.0)
    climate = ClimateDays(scoring, {MODEL: 2}, {"precip_day": limit})
    return Streams(scoring, forecast, fields, climate=climate,
                   truth_periods=((int(early[1]), int(early[2])),))  # fmt: skip


def values(table: Table) -> dict[str, float | None]:
    return {row.metric: row.value for row in table.scores
            if row.baseline is None and row.scale in (None, 0.5)}  # fmt: skip


@pytest.mark.parametrize("pairing", ["time", "distribution"])
def test_every_climate_metric_by_its_definition(
    world: tuple[Path, Path, np.ndarray, np.ndarray], pairing: str
) -> None:
    opened = streams(world, pairing)
    table = rows_of(opened.scoring, tallied(opened).states, {MODEL: 2}, (0,))
    found = values(table)
    _, _, real, made = world
    early = rain(0, len(days_of(*YEARS[::3])))[: 2 * DAYS]
    limit = np.nanquantile(np.where(early >= 1, early, np.nan), 0.95, axis=0)
    year = np.repeat([0, 1], DAYS)
    known: dict[str, float] = {}
    for sign, series in ((1, made), (-1, real[:, None])):
        parts = {
            "wet_day_error": (series >= 1).mean(),
            "rx1day_error": np.mean([series[year == y].max(0).mean() for y in (0, 1)]),
            "r95p_error": (series * (series > limit)).sum(0).mean() / 2,
            "trend_error": 10 * np.subtract(*[series[year == y].mean() for y in (1, 0)]),
        }
        known = {name: known.get(name, 0.0) + sign * float(v) for name, v in parts.items()}
    for name, value in known.items():
        assert found[name] == pytest.approx(value, rel=2e-3), name
    apart = wasserstein_distance(made.ravel(), real.ravel())
    assert found["distribution_distance"] == pytest.approx(apart, rel=0.02)
    assert found["energy_distance"] == pytest.approx(
        energy_distance(made.ravel(), real.ravel()), rel=0.05
    )
    middle = np.quantile(made, 0.5) - np.quantile(real, 0.5)
    assert found["quantile_bias"] == pytest.approx(middle, abs=0.15)
    levels = np.linspace(0.01, 0.99, 99)
    gap = np.abs(np.quantile(made, levels) - np.quantile(real, levels)).mean()
    assert found["quantile_distance"] == pytest.approx(gap, rel=0.03)


def test_parts_of_a_year_merge_to_the_whole(
    world: tuple[Path, Path, np.ndarray, np.ndarray],
) -> None:
    opened = streams(world, "time")
    count = len(opened.forecast.inits)
    whole = tallied(opened).states
    parts = [tallied(opened, range(a, b)).states for a, b in ((25, count), (0, 5), (5, 25))]
    merged = merged_states(parts)
    assert merged.keys() == whole.keys()
    tables = [rows_of(opened.scoring, states, {MODEL: 2}, (0,)) for states in (merged, whole)]
    assert values(tables[0]) == pytest.approx(values(tables[1]))


def test_stations_take_the_nearest_cell(
    world: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    """Truth at two places: the distribution is that of the two cells that hold them."""
    _, _, _, made = world
    opened = streams(world, "distribution")
    times = days_of(2003, 2004)
    here = truth_store(tmp_path / "two.zarr", {"precip_day": made[:, 0, :1, :2]}, times)
    stations = TruthFields(here, NAMES)
    assert opened.climate is not None
    # The places lie at the first two columns of the last row (30 N, 100 W on both grids).
    index = nearest_cells(opened.forecast.lat, opened.forecast.lon, stations)
    assert index.ravel().tolist() == [8, 9]
    climate = replace(opened.climate, nearest=index, ninety_fifth={})
    table = rows_of(
        opened.scoring,
        tallied(replace(opened, truth=stations, climate=climate)).states, {MODEL: 2}, (0,),
    )  # fmt: skip
    expected = (made[:, :, 2, :2] >= 1).mean() - (made[:, 0, 0, :2] >= 1).mean()
    assert values(table)["wet_day_error"] == pytest.approx(expected, abs=1e-6)


def test_years_and_seasons_follow_the_calendar() -> None:
    thirty_years = 30 * 360 * DAY
    assert year_and_month(thirty_years, "360_day") == (2000, 1)
    assert year_and_month(thirty_years, "noleap") == (1999, 8)
    assert season_bin(thirty_years + 359 * DAY, "360_day") == "season-DJF"


def test_blocks_are_held_against_the_input() -> None:
    wanted = every_metric(
        variables=["precip_day"], metrics=[{"id": "violation_rate"}], thresholds=[], events={},
        masks=[], regions=[],
        constraints=[{"name": "conserves_blocks", "tolerance": 0.01,
                      "settings": {"variable": "precip_day", "relative": 0.01}}],
    )  # fmt: skip
    place = np.zeros((6, 8))
    scoring = Scoring(wanted, NAMES, Domain(3.0, 3.0), LEXICON, place, place)
    coarse = np.random.default_rng(0).gamma(1, 5, (3, 4)).astype("f4")
    fine = np.kron(coarse, np.ones((2, 2), "f4"))
    worse = fine.copy()
    worse[0, 0] += 10
    found = list(
        field_states(
            scoring, lambda _: np.stack([fine, worse]), lambda _: fine, None, lambda _: coarse
        )
    )
    assert [(statistic, name) for statistic, name, _ in found] == [
        ("constraint", "precip_day_conserves_input:precip_day")
    ]
    state = found[0][2]
    assert (int(state["broken"]), int(state["tested"])) == (1, 24)
    assert (int(state["broken_samples"]), int(state["samples"])) == (1, 2)
