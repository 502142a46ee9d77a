from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from wxreg.data.readers.ghcn_daily import read_csv
from wxreg.data.reading import ReadRequest, open_source
from wxreg.errors import IntegrityError, NotFound
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import ArraySelector, Sentinel, Variable, VariableEntry

REAL = Path(__file__).parents[3] / "shared/real/stations/USW00094728.dly.gz"
FIELD = np.arange(12, dtype="f4").reshape(3, 4)
HEADER = (
    "BYTEORDER I\nLAYOUT BIL\nNROWS 3\nNCOLS 4\nNBANDS 1\nNBITS 32\nPIXELTYPE FLOAT\n"
    "ULXMAP -125\nULYMAP 49.9166666\nXDIM 0.0416666667\nYDIM 0.0416666667\nNODATA -9999\n"
)


def request(root: Path, layout: str, ids: dict[str, VariableEntry], units: str, **more):
    return ReadRequest(
        layout=layout,
        location=str(root),
        entries=tuple(ids.values()),
        lexicon={name: Variable(id=name, long_name=name, units=units) for name in ids},
        time=TimeAxis(cadence=Duration(86400)),
        **more,
    )


def prism(root: Path, **more):
    entry = VariableEntry(
        id="tmax_day",
        units="degC",
        raster=ArraySelector(name="tmax"),
        sentinels=(Sentinel(value=-9999, means="missing"),),
    )
    return open_source(request(root, "prism-raster", {"tmax_day": entry}, "K", **more))


def bil(path: Path, data: bytes | None = None, header: str = HEADER) -> None:
    values = FIELD.copy()
    values[0, 0] = -9999
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("a_bil.hdr", header)
        pack.writestr("a_bil.bil", values.tobytes() if data is None else data)


def test_bil_days_are_stamped_at_their_end(tmp_path):
    for day in ("20230601", "20230602"):
        bil(tmp_path / f"PRISM_tmax_stable_4kmD2_{day}_bil.zip")
    opened = prism(tmp_path)
    assert [str(t)[:16] for t in opened.time.values] == ["2023-06-01T12:00", "2023-06-02T12:00"]
    got = opened.tmax_day.values[1]
    assert np.isnan(got[0, 0]) and got[2, 3] == np.float32(11 + 273.15)
    assert opened.attrs["rows"] == "north-to-south"
    assert opened.lat.values[0, 0] == pytest.approx(49.9166666)
    assert prism(tmp_path, times=("2023-06-02T00:00", "2023-06-03T00:00")).time.size == 1


def test_geotiff_equals_bil(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    values = FIELD.copy()
    values[0, 0] = -9999
    step = 0.0416666667
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        extratags=[
            (33550, "d", 3, (step, step, 0.0), True),
            (33922, "d", 6, (0, 0, 0, -125 - step / 2, 49.9166666 + step / 2, 0), True),
            (42113, "s", 0, "-9999", True),
        ],
    )
    with zipfile.ZipFile(tmp_path / "prism_tmax_us_25m_20230601.zip", "w") as pack:
        pack.write(tmp_path / "a.tif", "prism_tmax_us_25m_20230601.tif")
    (tmp_path / "bil").mkdir()
    bil(tmp_path / "bil/PRISM_tmax_stable_4kmD2_20230601_bil.zip")
    one, two = prism(tmp_path / "bil"), None
    (tmp_path / "tif").mkdir()
    (tmp_path / "prism_tmax_us_25m_20230601.zip").rename(
        tmp_path / "tif/prism_tmax_us_25m_20230601.zip"
    )
    two = prism(tmp_path / "tif")
    assert np.array_equal(one.tmax_day.values, two.tmax_day.values, equal_nan=True)
    assert np.allclose(one.lat, two.lat) and np.allclose(one.lon, two.lon)


NAME = "PRISM_tmax_stable_4kmD2_20230601_bil.zip"


@pytest.mark.parametrize(
    "data, header, message",
    [
        (FIELD.tobytes()[:-4], HEADER, "has 44 bytes; its header declares 48"),
        (FIELD.tobytes() + b"x" * 10**7, HEADER, "more than 48 bytes"),
        (b"", HEADER.replace("NROWS 3", "NROWS 999999999"), "declares 999999999 × 4 cells"),
        (FIELD.tobytes(), HEADER.replace("NCOLS 4\n", ""), "lacks or garbles 'NCOLS'"),
    ],
)
def test_rasters_that_do_not_match_their_header_are_refused(tmp_path, data, header, message):
    bil(tmp_path / NAME, data, header)
    with pytest.raises(IntegrityError, match=message):
        prism(tmp_path)


def test_a_truncated_zip_and_two_files_of_one_day_are_refused(tmp_path):
    bil(tmp_path / NAME)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME.replace("stable", "early")).write_bytes(whole)
    with pytest.raises(IntegrityError, match="of the same day"):
        prism(tmp_path)
    (tmp_path / NAME.replace("stable", "early")).unlink()
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IntegrityError, match="zip cannot be read"):
        prism(tmp_path)


def ghcn(path: Path, **more):
    entries = {
        name: VariableEntry(
            id=name, units=units, table=ArraySelector(name=element, decode="tenths")
        )
        for name, units, element in (
            ("tmax_day", "degC", "TMAX"),
            ("tmin_day", "degC", "TMIN"),
        )
    }
    return open_source(request(path, "ghcn-daily", entries, "K", **more))


def dly(element: str, values: dict[int, tuple[int, str]]) -> str:
    days = "".join(
        f"{values.get(day, (-9999, ' '))[0]:5d} {values.get(day, (0, ' '))[1]}Z"
        for day in range(1, 32)
    )
    return f"USW00094728202302{element}{days}\n"


def test_flags_missing_values_and_tenths(tmp_path):
    text = dly("TMAX", {1: (105, " "), 2: (999, "X"), 4: (-11, " ")}) + dly("TMIN", {1: (3, " ")})
    (tmp_path / "USW00094728.dly").write_text(text)
    opened = ghcn(tmp_path)
    assert opened.tmax_day.shape == (4, 1, 1)
    got = opened.tmax_day.values[:, 0, 0]
    assert np.allclose(got, [283.65, np.nan, np.nan, 272.05], equal_nan=True)
    assert opened.attrs["flagged"] == {"TMAX": 1}
    assert opened.attrs["missing_times"] == ["2023-02-03T00:00"]


def test_csv_and_dly_tell_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.csv").write_text(
        "ID,DATE,ELEMENT,DATA_VALUE,M_FLAG,Q_FLAG,S_FLAG,OBS_TIME\n"
        "USW00094728,20230201,TMAX,105,,,Z,\nUSW00094728,20230202,TMAX,999,,X,Z,\n"
        "USW00094728,20230204,TMAX,-11,,,Z,\nUSW00094728,20230201,TMIN,3,,,Z,\n"
    )
    got = ghcn(tmp_path / "a").tmax_day.values[:, 0, 0]
    assert np.allclose(got, [283.65, np.nan, np.nan, 272.05], equal_nan=True)
    with pytest.raises(IntegrityError, match="line 1 cannot be read"):
        list(read_csv(iter(["USW,2023,TMAX,abc,,,,\n"]), "x.csv", {"TMAX"}))


def test_a_line_cut_short_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(NotFound, match=r"no \.dly or \.csv"):
        ghcn(tmp_path)
    (tmp_path / "a.dly").write_text(dly("TMAX", {1: (1, " ")})[:150])
    with pytest.raises(IntegrityError, match="line 1 cannot be read: it has 150"):
        ghcn(tmp_path)


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not here")
def test_central_park():
    opened = ghcn(REAL, times=("1869-01-01T00:00", "1869-03-01T00:00"))
    assert str(opened.time.values[0])[:10] == "1869-01-01"
    assert float(opened.tmax_day[0, 0, 0]) == pytest.approx(273.15 - 1.7)
    summer = ghcn(REAL, times=("1936-07-01T00:00", "1936-08-01T00:00"))
    assert float(summer.tmax_day.max()) == pytest.approx(273.15 + 41.1, abs=0.1)
