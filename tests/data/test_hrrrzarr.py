"""Stores of the University of Utah: doubly nested groups, float16, statistics in the names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import zarr
from tiny_grib import GRID, START, field, request

from wxreg.data.reading import open_source
from wxreg.errors import Incompatible, IntegrityError, UsageError
from wxreg.specs.variables import ArraySelector, VariableEntry


def hrrrzarr_request(root: Path, **changes: object):
    entries = (
        VariableEntry(
            id="t2m", units="K", hrrrzarr=ArraySelector(name="TMP", group="2m_above_ground")
        ),
        VariableEntry(
            id="precip",
            units="kg m-2",
            analysis=False,
            hrrrzarr=ArraySelector(name="APCP_1hr_acc_fcst", group="surface"),
        ),
    )
    return request(root, 3, **{"layout": "hrrrzarr", "entries": entries, **changes})


def write_hrrrzarr(root: Path, hours: int = 3) -> None:
    for k in range(-1, hours):
        run = START + timedelta(hours=k)
        day = root / "sfc" / f"{run:%Y%m%d}"
        nested = "2m_above_ground/TMP/2m_above_ground/TMP"
        where = day / f"{run:%Y%m%d_%H}z_anl.zarr" / nested
        array = zarr.create_array(
            where, shape=GRID.shape, dtype="<f2", chunks=(6, 6), zarr_format=2, fill_value=np.nan
        )
        array[...] = field(k, 280.0)
        nested = "surface/APCP_1hr_acc_fcst/surface/APCP_1hr_acc_fcst"
        where = day / f"{run:%Y%m%d_%H}z_fcst.zarr" / nested
        array = zarr.create_array(
            where, shape=(18, *GRID.shape), dtype="<f2", chunks=(18, 6, 6), zarr_format=2
        )
        array[...] = np.abs(field(k))[None]


def test_hrrrzarr_joins_analysis_and_first_forecast_hour(tmp_path: Path) -> None:
    write_hrrrzarr(tmp_path)
    opened = open_source(hrrrzarr_request(tmp_path))
    np.testing.assert_allclose(opened.t2m[1], field(1, 280 - 273.15), atol=0.15)
    np.testing.assert_allclose(opened.precip[1], np.abs(field(0)), atol=5e-3)
    assert opened.attrs["rows"] == "south-to-north"
    assert opened.attrs["missing_times"] == []


def test_hrrrzarr_names_what_is_not_there(tmp_path: Path) -> None:
    write_hrrrzarr(tmp_path, hours=2)
    opened = open_source(hrrrzarr_request(tmp_path))
    assert opened.attrs["missing_fields"] == {"t2m": ["2023-06-01T02:00"]}
    array = tmp_path / "sfc/20230601/20230601_00z_anl.zarr/2m_above_ground/TMP/2m_above_ground/TMP"
    for chunk in array.glob("[0-9]*"):
        chunk.unlink()
    with pytest.raises(IntegrityError, match="none of its chunks"):
        open_source(hrrrzarr_request(tmp_path)).t2m[0].compute()


def test_hrrrzarr_overflow_of_half_precision_is_an_error(tmp_path: Path) -> None:
    write_hrrrzarr(tmp_path)
    where = tmp_path / "sfc/20230601/20230601_00z_anl.zarr/2m_above_ground/TMP/2m_above_ground/TMP"
    zarr.open_array(where, mode="r+")[0, 0] = np.inf
    with pytest.raises(IntegrityError, match="overflows"):
        open_source(hrrrzarr_request(tmp_path)).t2m[0].compute()


LEVELLED = VariableEntry(id="t", units="K", hrrrzarr=ArraySelector(name="TMP", group="{level}mb"))


def write_levels(root: Path, levels: tuple[int, ...] = (500, 850), hours: int = 2) -> None:
    for k in range(hours):
        run = START + timedelta(hours=k)
        for level in levels:
            nested = f"{level}mb/TMP/{level}mb/TMP"
            where = root / "prs" / f"{run:%Y%m%d}" / f"{run:%Y%m%d_%H}z_anl.zarr" / nested
            array = zarr.create_array(
                where, shape=GRID.shape, dtype="<f2", chunks=(6, 6), zarr_format=2
            )
            array[...] = field(k, level / 4)


def test_levels_are_groups_of_their_own(tmp_path: Path) -> None:
    write_levels(tmp_path)
    asked = hrrrzarr_request(tmp_path, entries=(LEVELLED,), product="prs", levels=(850.0, 500.0))
    opened = open_source(asked)
    assert opened.t.dims == ("time", "level", "y", "x")
    assert opened.level.values.tolist() == [850.0, 500.0]
    np.testing.assert_allclose(opened.t[1].sel(level=850.0), field(1, 850 / 4), atol=0.15)
    assert opened.attrs["missing_times"] == ["2023-06-01T02:00"]
    assert np.isnan(opened.t[2]).all()


def test_a_level_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write_levels(tmp_path)
    with pytest.raises(Incompatible, match="not on every level"):
        open_source(
            hrrrzarr_request(tmp_path, entries=(LEVELLED,), product="prs", levels=(500.0, 700.0))
        )
    with pytest.raises(UsageError, match="levels"):
        open_source(hrrrzarr_request(tmp_path, entries=(LEVELLED,), product="prs"))
