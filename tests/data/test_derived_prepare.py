"""Derived variables in prepared stores: the right numbers, at the right times, and none dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tiny_grib import GRID, field, request, write_archive

from wxreg.artifacts.layout import Layout
from wxreg.data.deriving import derive
from wxreg.data.grids import to_earth
from wxreg.data.prepare import PreparePlan, prepare
from wxreg.data.reading import ReadRequest
from wxreg.data.samples import LoaderSettings, SampleSource, View
from wxreg.data.stores import open_store
from wxreg.errors import Incompatible
from wxreg.ids import DataRef
from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.runs.datasets.preparing import prepare_plan, store_variables
from wxreg.specs.timeaxis import TimeAxis

ROOT = Path(__file__).parents[2]
LIBRARY = Library(ROOT)


def hourly(name: str, count: int, start: str = "2023-06-01T00:00", **attrs: object) -> xr.Dataset:
    """A source of hourly fields whose value is the number of the hour."""
    times = np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(1, "h")
    values = np.broadcast_to(np.arange(count, dtype="f4")[:, None, None], (count, 2, 3)).copy()
    told = {"rows": "north-to-south", "winds": "earth-relative", "missing_times": [], **attrs}
    made = xr.Dataset({name: (("time", "y", "x"), values)}, {"time": times, "y": [1, 0]}, told)
    return made.assign_coords(x=[0, 1, 2]).chunk(time=1)


def asked(stamp: str = "period-end", cadence: int = 3600) -> ReadRequest:
    axis = TimeAxis(cadence=Duration(cadence), stamp=stamp)  # type: ignore[arg-type]
    return ReadRequest("canonical", "memory", (), LIBRARY.lexicon(), axis)


def test_a_day_ends_with_the_hour_that_ends_at_midnight() -> None:
    made = derive(hourly("precip_1h", 73), asked(), ["precip_day"])
    assert made.time.values.astype("datetime64[D]").astype(str).tolist() == [
        "2023-06-01", "2023-06-02", "2023-06-03",
    ]  # fmt: skip
    expected = [sum(range(1 + 24 * day, 25 + 24 * day)) for day in range(3)]
    np.testing.assert_array_equal(made.precip_day[:, 0, 0], expected)


def test_instants_belong_to_the_day_they_begin_in() -> None:
    made = derive(hourly("t2m", 72), asked("instant"), ["tmax_day"])
    np.testing.assert_array_equal(made.tmax_day[:, 0, 0], [23, 47, 71])
    with_sums = hourly("t2m", 73).assign(precip_1h=hourly("precip_1h", 73).precip_1h)
    both = derive(with_sums, asked("instant"), ["tmax_day", "precip_day"])
    assert both.sizes["time"] == 3
    assert both.precip_day[0, 0, 0] == sum(range(1, 25))
    assert both.tmax_day[0, 0, 0] == 23


def test_a_day_that_lacks_an_hour_is_missing() -> None:
    source = hourly("precip_1h", 73, missing_times=["2023-06-02T05:00"])
    made = derive(source, asked(), ["precip_day"])
    assert made.attrs["missing_fields"] == {"precip_day": ["2023-06-02T00:00"]}
    assert np.isnan(made.precip_day.values).all(axis=(1, 2)).tolist() == [False, True, False]
    torn = hourly("precip_1h", 73).isel(time=[i for i in range(73) if i != 30])
    assert derive(torn, asked(), ["precip_day"]).attrs["missing_fields"] == {
        "precip_day": ["2023-06-02T00:00"]
    }


def test_a_running_sum_ends_at_its_time_and_never_crosses_events() -> None:
    source = hourly("precip_1h", 8).assign_coords(segment=("time", [0, 0, 0, 0, 1, 1, 1, 1]))
    made = derive(source, asked(), ["precip_3h"])
    shown = made.precip_3h[:, 0, 0].values
    np.testing.assert_array_equal(shown, [np.nan, np.nan, 3, 6, np.nan, np.nan, 15, 18])
    assert len(made.attrs["missing_fields"]["precip_3h"]) == 4


def test_a_missing_cell_stays_missing_in_its_day_only() -> None:
    source = hourly("precip_1h", 49).compute()
    source.precip_1h.values[3, 1, 2] = np.nan
    made = derive(source.chunk(time=1), asked(), ["precip_day"]).precip_day.values
    assert np.argwhere(np.isnan(made)).tolist() == [[0, 1, 2]]


def test_days_and_hours_do_not_mix_in_one_store() -> None:
    with pytest.raises(Incompatible, match="steps are days"):
        derive(hourly("precip_1h", 49), asked(), ["precip_day", "precip_1h"])


def test_steps_that_do_not_fill_a_window_are_refused() -> None:
    with pytest.raises(Incompatible, match="do not fill"):
        derive(hourly("precip_1h", 49), asked(cadence=7200), ["precip_3h"])


def test_derived_winds_are_those_of_the_earth(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw")
    wanted = request(tmp_path / "raw")
    lexicon = {**LIBRARY.lexicon(), **wanted.lexicon}
    wanted = replace(wanted, lexicon=lexicon)
    names = (*(entry.id for entry in wanted.entries), "ws10", "wd10")
    plan = PreparePlan(wanted, tmp_path / "out.zarr", names)
    made = open_store(prepare(plan).path)
    u, v = to_earth(field(1, 5.0), field(1, -3.0), GRID)
    np.testing.assert_allclose(made.ws10[1], np.hypot(u, v)[::-1], atol=5e-3)
    towards = np.degrees(np.arctan2(-u, -v)) % 360
    np.testing.assert_allclose(made.wd10[1], towards[::-1], atol=0.1)
    assert plan.identity() != replace(plan, variables=names[:-2]).identity()
    with pytest.raises(Incompatible, match="cannot be turned"):
        derive(hourly("u10", 2, winds="grid-relative"), wanted, ["ws10"])


def test_a_view_may_be_coarser_in_time_than_what_is_read(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw", hours=12, absent=(4, 6))
    plan = PreparePlan(
        request=request(tmp_path / "raw", 12), output=tmp_path / "s.zarr", every=Duration(3 * 3600)
    )
    report = prepare(plan)
    opened = open_store(report.path)
    hours = (opened.time.values - opened.time.values[0]) / np.timedelta64(1, "h")
    assert hours.tolist() == [0, 3, 6, 9]
    assert report.missing_times == ("2023-06-01T06:00",)
    np.testing.assert_allclose(opened.t2m[3], field(9, 280.0 - 273.15)[::-1], atol=2e-3)
    assert plan.identity() != replace(plan, every=None).identity()
    source = hourly("precip_1h", 12)
    sums = derive(source, asked(), ["precip_3h"]).precip_3h[:, 0, 0].values
    assert sums[[3, 6, 9]].tolist() == [1 + 2 + 3, 4 + 5 + 6, 7 + 8 + 9]
    with pytest.raises(Incompatible, match="no time"):
        prepare(replace(plan, every=Duration(5 * 86400), output=tmp_path / "t.zarr"))


def test_what_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    version = LIBRARY.version(DataRef.parse("era5@mini-1"))
    without = version.model_copy(
        update={"variables": tuple(name for name in version.variables if name != "t2m")}
    )
    monkeypatch.setattr(Library, "version", lambda self, ref: without)
    with pytest.raises(Incompatible, match="neither holds t2m"):
        prepare_plan(LIBRARY, Layout(ROOT), DataRef.parse("era5@mini-1"), "daily")


@pytest.mark.parametrize(
    "ref", ["hrrr@mini-1", "hrrr@mini-2", "sevir@mini-1", "conus404@mini-1", "era5@mini-1",
            "cmip6@mini-1"],
)  # fmt: skip
def test_every_view_of_every_version_has_all_its_variables(ref: str) -> None:
    version = LIBRARY.version(DataRef.parse(ref))
    for view in ("native", *version.views):
        plan = prepare_plan(LIBRARY, Layout(ROOT), DataRef.parse(ref), view)
        assert plan.variables == store_variables(LIBRARY, version, view)
        assert plan.variables
        described = LIBRARY.description(version.dataset).views.get(view)
        if described is not None and described.variables:
            assert plan.variables == described.variables


def test_selectors_that_follow_each_other_are_all_read() -> None:
    plan = prepare_plan(LIBRARY, Layout(ROOT), DataRef.parse("hrrr@mini-1"), "native")
    pressure = [entry for entry in plan.request.entries if entry.id == "msl"]
    assert len(pressure) == 2
    assert {entry.grib.idx.split(":")[0] for entry in pressure if entry.grib} == {"PRMSL", "MSLMA"}  # type: ignore[union-attr]


@pytest.mark.skipif(
    not (ROOT / "data/era5/mini-1").is_dir() or not (ROOT / "data/conus404/mini-1").is_dir(),
    reason="era5@mini-1 and conus404@mini-1 are not pulled",
)
def test_days_of_era5_pair_with_days_of_conus404(tmp_path: Path) -> None:
    stores = {}
    for ref in ("era5@mini-1", "conus404@mini-1"):
        plan = prepare_plan(LIBRARY, Layout(ROOT), DataRef.parse(ref), "daily")
        stores[ref] = prepare(replace(plan, output=tmp_path / f"{ref}.zarr")).path
    coarse, fine = (open_store(path) for path in stores.values())
    channels = ("precip_day", "tmax_day")
    settings = LoaderSettings(
        inputs=View(stores["era5@mini-1"], channels),
        targets=View(stores["conus404@mini-1"], channels),
        periods=LIBRARY.version(DataRef.parse("era5@mini-1")).splits.train,
    )
    source = SampleSource(settings)
    assert source.factor == 8
    assert len(source.windows) == 80
    for name in channels:
        means = fine[name].sel(time=coarse.time).values.reshape(-1, 16, 8, 40, 8).mean((2, 4))
        assert np.corrcoef(means.ravel(), coarse[name].values.ravel())[0, 1] > 0.995
        shifted = np.corrcoef(means[1:].ravel(), coarse[name].values[:-1].ravel())[0, 1]
        assert shifted < 0.95
