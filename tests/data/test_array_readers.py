from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from tiny_grib import HOUR

from wxreg.data.prepare import PreparePlan, prepare
from wxreg.data.reading import ReadRequest, open_source
from wxreg.data.stores import open_store
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.leadtime import Duration
from wxreg.specs.grid import Grid
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import ArraySelector, Variable, VariableEntry

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
LEXICON = {
    v.id: v
    for v in (
        Variable(id="t2m", long_name="temperature", units="degC"),
        Variable(id="t", long_name="temperature", units="K", levels="pressure"),
        Variable(id="precip", long_name="rain", units="mm", kind="accumulation", window=HOUR),
        Variable(id="u10", long_name="u", units="m s-1", vector="x", partner="v10"),
        Variable(id="v10", long_name="v", units="m s-1", vector="y", partner="u10"),
    )
}
GLOBE = Grid(
    crs="latlon",
    shape=(7, 12),
    spacing=(30.0, 30.0),
    origin=(-90.0, 0.0),
    units="degree",
    rows="north-to-south",
)


def entry(id: str, name: str, units: str) -> VariableEntry:
    array = ArraySelector(name=name)
    return VariableEntry(id=id, units=units, zarr=array, netcdf=array)


T2M = entry("t2m", "2m_temperature", "K")


def globe(hours: int = 6) -> xr.Dataset:
    """Values that tell their place, on ERA5's coordinates."""
    values = 273.15 + np.arange(hours * 84, dtype="f4").reshape(hours, 7, 12)
    times = np.datetime64("2023-06-01", "ns") + np.arange(hours) * np.timedelta64(1, "h")
    levels = np.stack([values, values + 1000], axis=1)
    return xr.Dataset(
        {
            "2m_temperature": (("time", "latitude", "longitude"), values),
            "temperature": (("time", "level", "latitude", "longitude"), levels),
        },
        coords={
            "time": times,
            "level": [500, 850],
            "latitude": np.linspace(90, -90, 7),
            "longitude": np.arange(0.0, 360, 30),
        },
    )


def request(path: Path, layout: str = "cf-zarr", **changes: object) -> ReadRequest:
    given = {
        "layout": layout,
        "location": str(path),
        "entries": (T2M,),
        "lexicon": LEXICON,
        "time": TimeAxis(cadence=HOUR),
        "grid": GLOBE,
    }
    return ReadRequest(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
def test_either_format_with_or_without_consolidation(
    tmp_path: Path, zarr_format: int, consolidated: bool
) -> None:
    path = tmp_path / "a.zarr"
    globe().chunk(time=1).to_zarr(path, zarr_format=zarr_format, consolidated=consolidated)
    opened = open_source(request(path))
    assert opened.attrs["rows"] == "north-to-south"
    np.testing.assert_allclose(opened.t2m[2, 0, 0], 2 * 84, rtol=1e-6)
    assert opened.lon.min() >= -180


def test_a_sharded_store_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    encoding = {"2m_temperature": {"chunks": (1, 7, 12), "shards": (3, 7, 12)}}
    globe().to_zarr(path, zarr_format=3, encoding=encoding, consolidated=False)
    np.testing.assert_allclose(open_source(request(path)).t2m[5, 6, 11], 6 * 84 - 1, rtol=1e-6)


def test_levels_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().to_zarr(path)
    levelled = (entry("t", "temperature", "K"),)
    opened = open_source(request(path, entries=levelled, levels=(850.0,)))
    assert opened.t.dims == ("time", "level", "y", "x")
    np.testing.assert_allclose(opened.t[0, 0, 0, 0], 1273.15)
    with pytest.raises(NotFound, match="no level 700"):
        open_source(request(path, entries=levelled, levels=(700.0,)))


def test_a_store_without_chunks_is_empty_not_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().chunk(time=1).to_zarr(path, zarr_format=3, consolidated=False)
    shutil.rmtree(path / "2m_temperature" / "c" / "3")
    opened = open_source(request(path))
    assert opened.attrs["missing_fields"] == {"t2m": ["2023-06-01T03:00"]}
    shutil.rmtree(path / "2m_temperature" / "c")
    with pytest.raises(IntegrityError, match="none of its chunks"):
        open_source(request(path))


def test_a_truncated_chunk_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().chunk(time=1).to_zarr(path, zarr_format=3, consolidated=False)
    chunk = path / "2m_temperature" / "c" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(IntegrityError, match="2023-06-01T02:00"):
        prepare(PreparePlan(request=request(path), output=tmp_path / "out.zarr"))


def test_an_absurd_shape_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().chunk(time=1).to_zarr(path, zarr_format=3, consolidated=False)
    about = path / "2m_temperature" / "zarr.json"
    body = json.loads(about.read_text())
    body["shape"][1:] = [10**6, 10**6]
    about.write_text(json.dumps(body))
    with pytest.raises((Incompatible, IntegrityError)):
        _ = open_source(request(path)).t2m[0].values


def test_times_that_the_axis_lacks_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().isel(time=[0, 1, 3, 5]).to_zarr(path)
    opened = open_source(request(path))
    assert opened.attrs["missing_times"] == ["2023-06-01T02:00", "2023-06-01T04:00"]
    assert opened.sizes["time"] == 6
    assert np.isnan(opened.t2m[2]).all()
    np.testing.assert_allclose(opened.t2m[3, 0, 0], 3 * 84, rtol=1e-6)


@pytest.mark.parametrize(("order", "word"), [([0, 1, 1, 2], "twice"), ([0, 2, 1, 3], "out of")])
def test_times_must_grow(tmp_path: Path, order: list[int], word: str) -> None:
    path = tmp_path / "a.zarr"
    globe().isel(time=order).to_zarr(path)
    with pytest.raises(IntegrityError, match=word):
        open_source(request(path))


def test_a_grid_other_than_declared_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().to_zarr(path)
    moved = GLOBE.model_copy(update={"origin": (-90.0, 10.0)})
    with pytest.raises(Incompatible, match="the catalog says"):
        open_source(request(path, grid=moved))
    with pytest.raises(Incompatible, match="the catalog says"):
        open_source(request(path, grid=GLOBE.model_copy(update={"shape": (7, 11)})))


def test_an_absent_array_is_named_with_its_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe().to_zarr(path)
    with pytest.raises(NotFound, match="2m_temprature") as caught:
        open_source(request(path, entries=(entry("t2m", "2m_temprature", "K"),)))
    assert "2m_temperature" in (caught.value.hint or "")


def test_era5_ends_where_its_attributes_say(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    padded = globe(96)
    padded["2m_temperature"][60:] = np.nan
    padded.attrs |= {"valid_time_stop": "2023-06-01", "valid_time_stop_era5t": "2023-06-02"}
    padded.to_zarr(path)
    opened = open_source(request(path, "arco-zarr"))
    assert opened.sizes["time"] == 48
    assert opened.attrs["provisional_times"][0] == "2023-06-02T00:00"
    assert len(opened.attrs["provisional_times"]) == 24
    asked = request(path, "arco-zarr", times=("2023-06-01T20:00", "2023-06-04T00:00"))
    assert open_source(asked).attrs["missing_times"] == []
    with pytest.raises(NotFound, match="the data end"):
        open_source(request(path, "arco-zarr", times=("2023-06-03T00:00", "2023-06-04T00:00")))


def test_wrf_winds_are_turned_with_wrfs_own_sphere(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    grid = Grid(
        crs="+proj=lcc +lat_1=30 +lat_2=50 +lat_0=39.1 +lon_0=-97.9 +R=6370000",
        shape=(5, 6),
        spacing=(4000.0, 4000.0),
        origin=(100000.0, 800000.0),
        winds="grid-relative",
    )
    times = np.datetime64("2023-06-01", "ns") + np.arange(2) * np.timedelta64(1, "h")
    dims = ("time", "south_north", "west_east")
    xr.Dataset(
        {"U10": (dims, np.full((2, 5, 6), 10, "f4")), "V10": (dims, np.zeros((2, 5, 6), "f4"))},
        coords={"time": times},
    ).to_zarr(path)
    entries = (entry("u10", "U10", "m s-1"), entry("v10", "V10", "m s-1"))
    asked = request(path, "wrf-zarr", entries=entries, grid=grid)
    stored = open_store(prepare(PreparePlan(request=asked, output=tmp_path / "o.zarr")).path)
    assert np.allclose(np.hypot(stored.u10, stored.v10), 10, rtol=1e-5)
    assert (stored.v10 < -0.3).all()  # east of the central meridian, grid east points south


@pytest.mark.real
def test_the_new_cds_layout_is_read() -> None:
    if not (REAL / "era5").is_dir():
        pytest.skip("the folder of real files is absent")
    path = REAL / "era5" / "data_stream-oper_stepType-instant.nc"
    with xr.open_dataset(path, engine="h5netcdf") as raw:
        name = next(str(n) for n in raw.data_vars if n != "expver")
        moments = raw["valid_time"].values
        expected = raw[name].values
        units = raw[name].attrs["units"].replace("**", "")
    lexicon = {"t2m": Variable(id="t2m", long_name="x", units=units)}
    asked = request(path, "cds-netcdf", entries=(entry("t2m", name, units),), lexicon=lexicon)
    asked = ReadRequest(**{**vars(asked), "grid": None})
    opened = open_source(asked)
    at = np.isin(opened.time.values, moments)
    np.testing.assert_array_equal(opened.t2m.values[at], expected)
    assert len(opened.attrs["missing_times"]) == opened.sizes["time"] - len(moments)


def test_a_truncated_netcdf_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    globe().rename(time="valid_time").to_netcdf(path, engine="h5netcdf")
    asked = request(path, "cds-netcdf")
    assert open_source(asked).sizes["time"] == 6
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(IntegrityError, match="damaged"):
        open_source(asked)


def test_provisional_times_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    data = globe().rename(time="valid_time")
    data["expver"] = ("valid_time", np.array(["0001"] * 4 + ["0005"] * 2, dtype=object))
    data.to_netcdf(path, engine="h5netcdf")
    opened = open_source(request(path, "cds-netcdf"))
    assert opened.attrs["provisional_times"] == ["2023-06-01T04:00", "2023-06-01T05:00"]


def test_sums_are_converted_from_metres(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    rain = globe().rename({"2m_temperature": "total_precipitation"}) * 0 + 0.001
    rain[["total_precipitation"]].to_zarr(path)
    asked = request(path, entries=(entry("precip", "total_precipitation", "m_water"),))
    np.testing.assert_allclose(open_source(asked).precip, 1.0, rtol=1e-6)


def test_a_cadence_of_hours_does_not_fill_a_daily_axis(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    globe(72).isel(time=slice(0, None, 24)).to_zarr(path)
    asked = request(path, time=TimeAxis(cadence=Duration(86400)))
    assert open_source(asked).attrs["missing_times"] == []
    assert zarr.open_group(path)["2m_temperature"].shape == (3, 7, 12)
