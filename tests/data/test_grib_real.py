"""What real GRIB files teach; every test skips where the folder of real files is absent."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import eccodes
import gribberish
import numpy as np
import pytest
from full_grid import HRRR, REAL
from tiny_grib import GRID, START, Message, field, message_bytes

from wxreg.data.grids import coordinates, turning
from wxreg.data.readers.grib_decoding import decode_message
from wxreg.data.readers.grib_frames import scan_frames
from wxreg.data.readers.grib_index import matching, parse_index
from wxreg.data.readers.grib_messages import scan_messages
from wxreg.data.reading import ReadRequest, open_source
from wxreg.errors import Incompatible, IntegrityError
from wxreg.leadtime import Duration
from wxreg.specs.grid import Grid
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import ArraySelector, Variable, VariableEntry

LIMIT = 10**8
real = pytest.mark.real


def real_file(name: str) -> Path:
    path = REAL / name
    if not path.is_file():
        pytest.skip("the folder of real files is absent")
    return path


@real
@pytest.mark.parametrize(
    "name",
    [
        "hrrr/hrrr.t06z.wrfsfcf01-TMP.grib2",
        "hrrr/subset_20201214_hrrr.t00z.wrfsfcf12.grib2",
        "hrrr/hrrr.t00z.wrfprsf00-hydrology.grib2",
        "ncep/gfswave.t18z.atlocn.0p16.f001.grib2",
        "radar/PrecipRate_00.00_20190610-000000.grib2",
    ],
)
def test_two_libraries_decode_the_same(name: str) -> None:
    raw = real_file(name).read_bytes()
    for message in scan_messages(io.BytesIO(raw), name)[:3]:
        cut = raw[message.offset : message.offset + message.length]
        ours = decode_message(cut, name, message.offset, LIMIT).values
        theirs = gribberish.parse_grib_array(cut, 0).reshape(ours.shape)
        np.testing.assert_allclose(ours, theirs, rtol=3e-7, atol=1e-5, equal_nan=True)
        assert message.cells == ours.size


@pytest.mark.parametrize("bits", [12, 16, 20, 24])
def test_ccsds_packing_is_right_above_sixteen_bits(bits: int) -> None:
    values = field(1, 280.0)
    raw = message_bytes(
        START, Message((0, 0, 0), (103, 2), values, bits=bits, packing="grid_ccsds")
    )
    decoded = decode_message(raw, "tiny", 0, LIMIT).values
    np.testing.assert_allclose(decoded, values, atol=4 * np.ptp(values) / 2**bits + 1e-4)


@real
def test_the_two_sums_of_one_file_are_told_apart() -> None:
    path = real_file("hrrr/subset_20201214_hrrr.t00z.wrfsfcf12.grib2")
    with path.open("rb") as stream:
        messages = scan_messages(stream, str(path))
    assert [m.window_minutes for m in messages] == [720, 60]
    assert len({(m.category, m.parameter, m.first) for m in messages}) == 1


@real
def test_the_declared_grid_is_the_grid_of_the_file() -> None:
    raw = real_file("hrrr/hrrr.t06z.wrfsfcf01-TMP.grib2").read_bytes()
    handle = eccodes.codes_new_from_message(raw)
    lat = eccodes.codes_get_array(handle, "latitudes").reshape(HRRR.shape)
    lon = eccodes.codes_get_array(handle, "longitudes").reshape(HRRR.shape)
    eccodes.codes_release(handle)
    place = coordinates(HRRR)
    assert np.abs(place.lat - lat).max() < 1e-5
    assert np.abs((place.lon - lon + 180) % 360 - 180).max() < 1e-5
    cosine, sine = turning(HRRR)
    angle = np.sin(np.deg2rad(38.5)) * np.deg2rad((lon - 262.5 + 180) % 360 - 180)
    np.testing.assert_allclose(cosine, np.cos(angle), atol=1e-6)
    np.testing.assert_allclose(sine, np.sin(angle), atol=1e-6)


@real
def test_every_dialect_of_index_is_read() -> None:
    for hour, count in (("00", 170), ("08", 173), ("24", 173)):
        path = real_file(f"hrrr/idx/hrrr.t00z.wrfsfcf{hour}.grib2.idx")
        records = parse_index(path.read_bytes(), str(path))
        assert len(records) == count
        assert records[-1].end is None
        assert all(r.end and r.end > r.offset for r in records[:-1])
        end = int(hour) * 60
        key = "var discipline=0 center=7 local_table=1 parmcat=16 parm=201:entire atmosphere"
        assert len(matching(records, key, "instant", 0, end)) == 1
        if end:
            for window in (60, end):  # at f24 the run's total is written 0-1 day acc
                found = matching(records, "APCP:surface", "accumulated", window, end)
                assert len(found) == 1, (hour, window)


@real
def test_an_index_that_is_a_pickle_is_refused() -> None:
    path = real_file("hrrr/hrrr.t06z.wrfsfcf01-TMP.grib2.9093e.idx")
    with pytest.raises(IntegrityError, match="pickle"):
        parse_index(path.read_bytes(), str(path))


@real
def test_index_offsets_are_message_offsets() -> None:
    path = real_file("ncep/gfswave.t18z.atlocn.0p16.f001.grib2")
    records = parse_index(path.with_suffix(".grib2.idx").read_bytes(), "idx")
    with path.open("rb") as stream:
        messages = scan_messages(stream, str(path))
    assert [r.offset for r in records] == [m.offset for m in messages]


@pytest.mark.parametrize("line", ["1:x:d=2025080100:TMP:surface:anl:", "hello", "1:0:d=20:A:b:c:"])
def test_a_line_that_is_no_index_is_named(line: str) -> None:
    with pytest.raises(IntegrityError, match="not a wgrib2"):
        parse_index(line.encode(), "x.idx")


def test_minutes_of_sub_hourly_files_are_read() -> None:
    lines = b"1:0:d=2025080100:REFC:entire atmosphere:15 min fcst:\n"
    lines += b"2:9:d=2025080100:APCP:surface:0-15 min acc fcst:\n"
    records = parse_index(lines, "x")
    assert matching(records, "REFC:entire atmosphere", "instant", 0, 15) == records[:1]
    assert matching(records, "APCP:surface", "accumulated", 15, 15) == records[1:]


@real
def test_212_bytes_may_hold_two_million_cells_but_not_beyond_the_limit() -> None:
    raw = real_file("hrrr/hrrr.t00z.wrfprsf00-hydrology.grib2").read_bytes()
    assert decode_message(raw, "x", 0, LIMIT).values.shape == HRRR.shape
    with pytest.raises(Incompatible, match="1,905,141 cells"):
        decode_message(raw, "x", 0, 10**6)


@real
def test_a_file_with_messages_cut_short_is_never_a_shorter_dataset() -> None:
    path = real_file("era5/era5-levels-corrupted.grib")
    with path.open("rb") as stream, pytest.raises(IntegrityError, match="at byte"):
        list(scan_frames(stream, str(path)))


def cds_request(path: Path, grid: Grid, name: str, units: str, **changes: object) -> ReadRequest:
    given = {
        "layout": "grib",
        "location": str(path),
        "entries": (VariableEntry(id="x", units=units, netcdf=ArraySelector(name=name)),),
        "lexicon": {"x": Variable(id="x", long_name="x", units=units)},
        "time": TimeAxis(cadence=Duration(3600)),
        "grid": grid,
    }
    return ReadRequest(**{**given, **changes})  # type: ignore[arg-type]


@real
def test_alternating_rows_are_set_right() -> None:
    path = real_file("era5/alternate-scanning.grib")
    raw = path.read_bytes()
    handle = eccodes.codes_new_from_message(raw)
    stored = eccodes.codes_get_array(handle, "values")
    eccodes.codes_release(handle)
    ours = decode_message(raw, "x", 0, LIMIT).values
    np.testing.assert_allclose(ours[::2], stored.reshape(ours.shape)[::2], rtol=1e-6)
    steps = [np.abs(np.diff(v, axis=0)).mean() for v in (ours, stored.reshape(ours.shape))]
    assert steps[0] < 0.2 * steps[1]  # the field is smooth only with every other row turned


@real
def test_two_grids_in_one_file_are_not_mixed() -> None:
    path = real_file("era5/tp_on_different_grid_resolutions.grib")
    with path.open("rb") as stream:
        frames = list(scan_frames(stream, str(path)))
    assert len(frames) > 1
    handle = eccodes.codes_new_from_message(path.read_bytes()[: frames[0].length])
    keys = ("Nj", "Ni")
    shape = tuple(int(eccodes.codes_get(handle, key)) for key in keys)
    name = eccodes.codes_get(handle, "cfVarName")
    eccodes.codes_release(handle)
    grid = Grid(
        crs="latlon",
        shape=(shape[0], shape[1]),
        spacing=(1.0, 1.0),
        origin=(0.0, 0.0),
        units="degree",
        rows="north-to-south",
    )
    with pytest.raises((IntegrityError, Incompatible)):
        open_source(cds_request(path, grid, name, "m")).x.compute()


def test_grib2_of_many_times_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "many.grib2"
    messages = [
        message_bytes(START, Message((0, 0, 0), (103, 2), field(h, 280.0), hours=h))
        for h in range(4)
    ]
    path.write_bytes(b"".join(messages))
    opened = open_source(cds_request(path, GRID, "t2m", "K"))
    assert opened.sizes["time"] == 4
    np.testing.assert_allclose(opened.x[3], field(3, 280.0), atol=2e-3)
    path.write_bytes(b"".join([*messages, messages[1]]))
    with pytest.raises(IntegrityError, match="two messages"):
        open_source(cds_request(path, GRID, "t2m", "K"))


def test_struct_of_a_message_is_bounded() -> None:
    raw = bytearray(message_bytes(START, Message((0, 0, 0), (103, 2), field(1))))
    raw[16:20] = struct.pack(">I", 2**31)
    with pytest.raises(IntegrityError, match="header of message 1"):
        scan_messages(io.BytesIO(bytes(raw)), "x")
