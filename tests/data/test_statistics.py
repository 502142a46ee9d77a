from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny_grib import HOUR, LEXICON, request, write_archive

from wxreg.data.moments import Moments
from wxreg.data.prepare import PreparePlan, prepare
from wxreg.data.sketches import QuantileSketch
from wxreg.data.statistics import StatisticsPlan, compute
from wxreg.data.statistics_checks import verify
from wxreg.data.stores import StoredVariable, create_store, open_store
from wxreg.errors import Incompatible
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import Period, Splits
from wxreg.specs.variables import Variable

DIGEST = "a" * 64
SPLITS = Splits(
    train=(Period(start="2023-06-01T00:00", end="2023-06-01T10:00"),),
    validation=(Period(start="2023-06-01T10:00", end="2023-06-01T11:00"),),
    test=(Period(start="2023-06-01T11:00", end="2023-06-01T12:00"),),
)
VARIABLES = (
    LEXICON["t2m"],
    LEXICON["precip"].model_copy(update={"transform": "log1p", "range": (0.0, 100.0)}),
    LEXICON["refc"],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("statistics")
    write_archive(root / "raw", hours=12, absent=(4,))
    plan = PreparePlan(
        request=request(root / "raw", 12),
        output=root / "out.zarr",
        source_digest=DIGEST,
        gaps="interpolate",
    )
    return prepare(plan).path


def plan(store: Path, **changes: object) -> StatisticsPlan:
    given = StatisticsPlan(
        id="train",
        dataset="hrrr@tiny",
        source_digest=DIGEST,
        store=store,
        splits=SPLITS,
        variables=VARIABLES,
        steps=(HOUR, Duration(3 * 3600)),
        quantiles=(0.01, 0.5, 0.99),
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def reference(values: np.ndarray) -> dict[str, float]:
    real = values[np.isfinite(values)].astype(np.float64)
    return {
        "count": real.size,
        "mean": real.mean(),
        "std": real.std(),
        "minimum": real.min(),
        "maximum": real.max(),
    }


def test_they_equal_a_float64_reference_over_the_training_split(store: Path) -> None:
    found = compute(plan(store))
    opened = open_store(store)
    train = [0, 1, 2, 3, 5, 6, 7, 8, 9]  # hour 4 was filled, and 10 and 11 are not training
    for name, transform in (("t2m", np.asarray), ("precip", np.log1p), ("refc", np.asarray)):
        values = transform(opened[name].values[train].astype(np.float64))
        for key, expected in reference(values).items():
            assert getattr(found.channels[name].values, key) == pytest.approx(expected, rel=1e-6)
    assert found.window == SPLITS.train
    assert found.channels["refc"].missing == pytest.approx(1 - 9 * 119 / (10 * 120))


def test_tendencies_skip_what_was_not_read(store: Path) -> None:
    found = compute(plan(store)).channels["t2m"].tendencies
    values = open_store(store).t2m.values.astype(np.float64)
    for step, hours in (("1h", 1), ("3h", 3)):
        pairs = [k for k in range(hours, 10) if k != 4 and k - hours != 4]
        changes = np.stack([values[k] - values[k - hours] for k in pairs])
        assert found[step].count == changes.size
        assert found[step].std == pytest.approx(changes.std(), rel=1e-5)


def test_tendencies_are_counted_in_events_that_overlap_in_time(tmp_path: Path) -> None:
    times = np.datetime64("2023-06-01", "ns") + np.arange(6) * np.timedelta64(1, "h")
    coords = {
        "time": xr.Variable("time", np.concatenate([times, times + np.timedelta64(2, "h")])),
        "segment": xr.Variable("time", np.repeat([0, 1], 6).astype(np.int32)),
    }
    values = np.random.default_rng(0).normal(size=(12, 3, 4)).astype(np.float32)
    stored = (StoredVariable("t2m", ("time", "y", "x"), values.shape, {}),)
    create_store(tmp_path / "s.zarr", stored, coords, {"wxreg": {}})["t2m"][...] = values
    asked = plan(tmp_path / "s.zarr", variables=VARIABLES[:1], steps=(HOUR,))
    found = compute(asked).channels["t2m"].tendencies["1h"]
    changes = np.concatenate([np.diff(values[:6], axis=0), np.diff(values[6:], axis=0)])
    assert found.count == changes.size
    assert found.std == pytest.approx(changes.std(), rel=1e-5)


def test_threads_do_not_change_a_bit(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wxreg.data.statistics._TIMES_A_PIECE", 2)
    assert compute(plan(store)).digest() == compute(plan(store), workers=3).digest()


def test_quantiles_are_of_the_physical_values_that_were_read(store: Path) -> None:
    found = compute(plan(store)).channels
    train = [0, 1, 2, 3, 5, 6, 7, 8, 9]
    for name in ("t2m", "precip", "refc"):
        values = open_store(store)[name].values[train]
        assert found[name].sketched == np.isfinite(values).sum()
        spread = float(np.nanmax(values) - np.nanmin(values))
        for p in (0.01, 0.5, 0.99):
            expected = float(np.nanquantile(values, p))
            assert found[name].quantiles[f"{p:g}"] == pytest.approx(expected, abs=0.02 * spread)


def test_large_channels_are_sketched_from_evenly_spaced_values(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compute(plan(store)).channels["t2m"]
    monkeypatch.setattr("wxreg.data.statistics_counting.SKETCHED_VALUES", 300)
    part = compute(plan(store)).channels["t2m"]
    assert 0.7 * 300 < part.sketched < 1.3 * 300 < whole.sketched
    assert part.values == whole.values
    assert part.quantiles["0.5"] == pytest.approx(whole.quantiles["0.5"], abs=whole.values.std / 5)


def test_verify_finds_a_changed_number_and_an_unlike_claim(store: Path) -> None:
    known = compute(plan(store))
    assert verify(known, plan(store)) == []
    numbers = known.channels["t2m"]
    wrong = numbers.model_copy(
        update={"values": numbers.values.model_copy(update={"mean": numbers.values.mean + 0.01})}
    )
    tampered = known.model_copy(update={"channels": {**known.channels, "t2m": wrong}})
    assert "mean" in verify(tampered, plan(store))[0].what
    other = plan(store, splits=SPLITS.model_copy(update={"train": SPLITS.validation}))
    assert "cover" in verify(known, other)[0].what
    assert "no tendencies over 2h" in verify(known, plan(store, steps=(Duration(7200),)))[0].what
    plain = tuple(v.model_copy(update={"transform": "identity"}) for v in VARIABLES)
    assert "log1p" in verify(known, plan(store, variables=plain))[0].what


def test_a_store_of_another_version_is_refused(store: Path) -> None:
    with pytest.raises(Incompatible, match="another version"):
        compute(plan(store, source_digest="b" * 64))


def test_a_training_split_without_times_is_refused(store: Path) -> None:
    far = (Period(start="2030-01-01T00:00", end="2030-01-02T00:00"),)
    with pytest.raises(Incompatible, match="training split"):
        compute(plan(store, splits=SPLITS.model_copy(update={"train": far})))


numbers = arrays(
    np.float32, st.integers(1, 60), elements=st.floats(-1e4, 1e4, width=32) | st.just(np.nan)
)


@given(one=numbers, two=numbers)
@settings(max_examples=60, deadline=None)
def test_merged_moments_equal_those_of_everything(one: np.ndarray, two: np.ndarray) -> None:
    merged = Moments.of(one).merged(Moments.of(two))
    whole = np.concatenate([one, two])
    whole = whole[~np.isnan(whole)].astype(np.float64)
    assert merged.count == whole.size
    if whole.size:
        scale = max(float(np.abs(whole).max()), 1.0)
        assert abs(merged.mean - whole.mean()) <= 1e-9 * scale
        assert abs(np.sqrt(merged.squares / whole.size) - whole.std()) <= 1e-6 * scale
        assert (merged.minimum, merged.maximum) == (whole.min(), whole.max())


def test_moments_keep_their_digits_far_from_zero() -> None:
    values = (101325 + np.random.default_rng(0).normal(0, 0.5, 300_000)).astype(np.float32)
    exact = values.astype(np.float64)
    found = Moments.of(values).finished()
    assert found.mean == pytest.approx(exact.mean(), rel=1e-12)
    assert found.std == pytest.approx(exact.std(), rel=1e-6)


@pytest.mark.parametrize("pieces", [1, 7, 60])
def test_merged_sketches_estimate_the_ranks_of_everything(pieces: int) -> None:
    draw = np.random.default_rng(1).gamma(2, 3, 50_000)
    draw[::3] = 0
    draw[::10] = np.nan
    merged = QuantileSketch()
    for part in np.array_split(draw, pieces):
        merged = merged.merged(QuantileSketch.of(part))
    real = np.sort(draw[~np.isnan(draw)])
    assert merged.count == real.size
    for p in (0.001, 0.01, 0.4, 0.5, 0.9, 0.99, 0.999):
        found = merged.quantile(p)
        below = np.searchsorted(real, found * (1 - 1e-5)) / real.size
        upto = np.searchsorted(real, found * (1 + 1e-5), side="right") / real.size
        slack = 0.1 * min(p, 1 - p) + 2 / real.size
        assert below - slack <= p <= upto + slack


def test_a_changed_quantile_is_found(store: Path) -> None:
    known = compute(plan(store))
    numbers = known.channels["t2m"]
    moved = {**numbers.quantiles, "0.5": numbers.quantiles["0.5"] + 0.1}
    channels = {**known.channels, "t2m": numbers.model_copy(update={"quantiles": moved})}
    tampered = known.model_copy(update={"channels": channels})
    assert "quantile 0.5" in verify(tampered, plan(store))[0].what


def test_constants_are_counted_too() -> None:
    found = Moments.of(np.full(1000, 273.15, np.float32)).finished()
    assert found.std == 0.0
    assert Variable(id="x", long_name="x", units="1").transform == "identity"
