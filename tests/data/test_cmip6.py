from __future__ import annotations

from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr

from wxreg.data.readers.cf_files import licence_of
from wxreg.data.readers.cmip6_catalogue import one_store, read_catalogue, search
from wxreg.data.reading import ReadRequest, open_source
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import ArraySelector, Variable, VariableEntry

REAL = Path(__file__).parents[3] / "shared/real/cmip6"
real = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="../shared/real is not here"),
]


def request(root: Path, name: str = "tas", layout: str = "cf-netcdf", **more) -> ReadRequest:
    levels = "pressure" if name == "ta" else "none"
    selector = ArraySelector(name=name, group="day" if layout == "cmip6-catalogue" else None)
    entry = VariableEntry(id="tmean", units="K", netcdf=selector, zarr=selector)
    variable = Variable(id="tmean", long_name="temperature", units="K", levels=levels)
    return ReadRequest(
        layout=layout,
        location=str(root),
        entries=(entry,),
        lexicon={"tmean": variable},
        time=TimeAxis(cadence=Duration(86400), calendar="varies"),
        **more,
    )


def write(path: Path, calendar: str, start: int, days: int = 4, first: float = 280.0, **attrs):
    """``days`` daily fields from day ``start`` since 2000 in a calendar."""
    values = first + np.arange(start, start + days, dtype="f4")[:, None, None]
    time = ("time", np.arange(start, start + days) + 0.5)
    made = xr.Dataset(
        {"tas": (("time", "lat", "lon"), values + np.zeros((1, 3, 4), "f4"))},
        {"time": time, "lat": [-10.0, 0, 10], "lon": [0.0, 10, 20, 30]},
        {"license": "CC BY 4.0", **attrs},
    )
    made.time.attrs = {"units": "days since 2000-01-01", "calendar": calendar}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zarr":
        made.to_zarr(path)
    else:
        made.to_netcdf(path, engine="h5netcdf")
    return made


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian", "all_leap"])
def test_a_model_calendar_stays_what_it_is(tmp_path, calendar):
    write(tmp_path / "a.nc", calendar, 57)
    opened = open_source(request(tmp_path))
    assert opened.time.dt.calendar == calendar
    assert opened.attrs["calendar"] == calendar
    assert opened.tmean.values[0, 0, 0] == 280 + 57
    assert opened.attrs["rows"] == "south-to-north"
    assert opened.tmean.data.chunksize == (1, 3, 4)


def test_a_standard_calendar_is_datetime64_where_that_can_hold_it(tmp_path):
    write(tmp_path / "near/a.nc", "gregorian", 0)
    assert np.issubdtype(open_source(request(tmp_path / "near")).time.dtype, np.datetime64)
    write(tmp_path / "far/a.nc", "gregorian", 120_000)
    far = open_source(request(tmp_path / "far")).time.values
    assert isinstance(far[0], cftime.datetime) and far[0].year == 2328


def test_files_are_joined_in_order_and_equal_repeats_are_reported(tmp_path):
    write(tmp_path / "b.nc", "noleap", 3)
    write(tmp_path / "a.nc", "noleap", 0)
    opened = open_source(request(tmp_path))
    assert opened.tmean.values[:, 0, 0].tolist() == [280 + n for n in range(7)]
    assert opened.attrs["repeated_times"] == ["2000-01-04T12:00"]
    part = open_source(request(tmp_path, times=("2000-01-02T00:00", "2000-01-04T00:00")))
    assert part.tmean.values[:, 0, 0].tolist() == [281, 282]


def test_repeats_that_differ_and_mixed_calendars_are_refused(tmp_path):
    write(tmp_path / "a.nc", "noleap", 0)
    write(tmp_path / "b.nc", "noleap", 3, first=290)
    with pytest.raises(IntegrityError, match=r"2000-01-04T12:00 is in a.nc and b.nc"):
        open_source(request(tmp_path))
    write(tmp_path / "mixed/a.nc", "noleap", 0)
    write(tmp_path / "mixed/b.nc", "julian", 9)
    with pytest.raises(Incompatible, match=r"different calendars \(a.nc: noleap, b.nc: julian\)"):
        open_source(request(tmp_path / "mixed"))


@pytest.mark.parametrize("size", [0, 10, 3000])
def test_a_truncated_file_is_named(tmp_path, size):
    write(tmp_path / "a.nc", "noleap", 0)
    path = tmp_path / "a.nc"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(IntegrityError, match="cannot be read") as caught:
        open_source(request(tmp_path))
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "text, closed",
    [
        ("CMIP6 model data produced by IPSL is licensed under a CC BY-NC-SA 4.0 licence", True),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0", True),
        ("Creative Commons Attribution ShareAlike 4.0 International (CC BY-SA 4.0)", False),
        ("CC BY 4.0", False),
    ],
)
def test_a_non_commercial_licence_is_flagged(text, closed):
    assert licence_of({"license": text}) == (text, closed)
    assert licence_of({}) == (None, False)


ROWS = """activity_id,institution_id,source_id,experiment_id,member_id,table_id,variable_id,\
grid_label,zstore,dcpp_init_year,version
CMIP,X,MODEL,historical,r1i1p1f1,day,tas,gn,old.zarr,,20180101
CMIP,X,MODEL,historical,r1i1p1f1,day,tas,gn,new.zarr,,20200101
CMIP,X,MODEL,historical,r2i1p1f1,day,tas,gn,other.zarr,,20200101
"""


def test_a_catalogue_row_leads_to_its_store(tmp_path):
    (tmp_path / "pangeo-cmip6.csv").write_text(ROWS)
    write(tmp_path / "new.zarr", "noleap", 0, license="CC BY-NC-SA 4.0")
    opened = open_source(
        request(tmp_path, layout="cmip6-catalogue", options={"member_id": "r1i1p1f1"})
    )
    assert opened.tmean.shape == (4, 3, 4)
    assert opened.attrs["non_commercial"] is True
    table = read_catalogue(str(tmp_path), {})
    with pytest.raises(UsageError, match="differ in member_id"):
        one_store(table, {"variable_id": "tas"})
    with pytest.raises(NotFound, match="no row has source_id=MODL") as caught:
        search(table, {"source_id": "MODL"})
    assert "MODEL" in str(caught.value)
    with pytest.raises(UsageError, match="no column 'model'"):
        search(table, {"model": "x"})


class TestRealFiles:
    pytestmark = real

    @pytest.mark.parametrize(
        "stem, calendar",
        [("BCC-CSM2-MR", "noleap"), ("KACE-1-0-G", "360_day"), ("IITM-ESM", "julian")],
    )
    def test_three_calendars(self, stem, calendar):
        path = next(REAL.glob(f"ta_Amon_{stem}_*.nc"))
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as raw:
            level = float(raw.plev[0]) / 100
        opened = open_source(request(path, "ta", levels=(level,)))
        assert opened.time.dt.calendar == calendar
        assert opened.tmean.dims == ("time", "level", "y", "x")
        values = opened.tmean[-60:].values  # the last five years, which all three have
        assert np.nanmin(values) > 180 and np.nanmax(values) < 330
        assert "4.0" in opened.attrs["license"]

    def test_hadgem_has_december_2099_twice(self, tmp_path):
        for path in REAL.glob("tas_Amon_HadGEM2-ES_*.nc"):
            (tmp_path / path.name).symlink_to(path)
        with pytest.raises(IntegrityError, match=r"2099-12-16T00:00 is in .* different values"):
            open_source(request(tmp_path))
        before = open_source(request(tmp_path, times=("2080-01-01T00:00", "2099-12-01T00:00")))
        after = open_source(request(tmp_path, times=("2100-01-01T00:00", "2200-01-01T00:00")))
        assert before.attrs["calendar"] == after.attrs["calendar"] == "360_day"
        assert len(before.time) == 228 and str(after.time.values[-1]).startswith("2124-11")

    def test_the_real_pangeo_excerpt(self):
        table = read_catalogue(str(REAL / "pangeo-gcp-subset.csv.gz"), {})
        assert len(table) == 3502
        store = one_store(
            table,
            table.iloc[0][
                ["source_id", "experiment_id", "member_id", "table_id", "variable_id", "grid_label"]
            ].to_dict(),
        )
        assert store.startswith("gs://cmip6/")
