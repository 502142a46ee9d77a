from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from wxreg.data.clock import moment_keys
from wxreg.data.deriving import derive
from wxreg.data.readers.sevir_catalogue import parse_catalogue
from wxreg.data.readers.sevir_files import SevirArchive, count_flashes, decode_vil
from wxreg.data.reading import ReadRequest, open_source
from wxreg.errors import IntegrityError, NotFound
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import ArraySelector, Derivation, Variable, VariableEntry

REAL = Path(__file__).parents[3] / "shared/real/sevir/CATALOG_vil_2019H1_excel-mangled.csv"
FIVE = Duration(300)
DECODINGS = {
    "vil": ("kg m-2", "sevir-vil"),
    "ir069": ("degC", "sevir-infrared"),
    "vis": ("1", "sevir-visible"),
    "lght": ("count", "sevir-lightning"),
}
UNITS = {"vil": "kg m-2", "ir069": "K", "vis": "1", "lght": "count"}


def entry(name: str) -> VariableEntry:
    units, decode = DECODINGS[name]
    return VariableEntry(
        id=name, units=units, hdf5=ArraySelector(name=name, group=name, decode=decode)
    )


def request(root: Path, *names: str, **more) -> ReadRequest:
    return ReadRequest(
        layout="sevir-hdf5",
        location=str(root),
        entries=tuple(entry(name) for name in names),
        lexicon={name: Variable(id=name, long_name=name, units=UNITS[name]) for name in names},
        time=TimeAxis(cadence=Duration(300), segments=True),
        **more,
    )


HEADER = "id,file_name,file_index,img_type,time_utc,minute_offsets,width_m,data_min,data_max,proj"


def line(event, name, index, image, time, first=-120) -> str:
    offsets = "" if image == "lght" else ":".join(str(first + 5 * n) for n in range(49))
    return f"{event},{name},{index},{image},{time},{offsets},384000,0,9,+proj=laea"


@pytest.fixture
def archive(tmp_path) -> Path:
    """Three events; the infrared of S2 is two minutes early; S3 has no infrared."""
    draw = np.random.default_rng(0)
    rows = [HEADER]
    times = {"S2": "2019-05-02 18:00:00", "S1": "2019-05-01 18:00:00", "S3": "2019-05-03 18:00:00"}
    sizes = {"vil": (96, np.uint8), "ir069": (48, np.int16), "vis": (192, np.int16)}
    for image, (side, kind) in sizes.items():
        events = ["S1", "S2"] if image == "ir069" else list(times)
        name = f"{image}/2019/SEVIR_{image.upper()}_STORMEVENTS_2019_0101_0630.h5"
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        with h5py.File(path, "w") as made:
            made["id"] = np.array([event.encode() for event in events])
            codes = draw.integers(0, 256, (len(events), side, side, 49)).astype(kind)
            codes[:, 0, :, 0] = np.arange(len(events))[:, None]
            made[image] = codes
        for index, event in enumerate(events):
            first = -122 if (event, image) == ("S2", "ir069") else -120
            rows.append(line(event, name, index, image, times[event], first))
    name = "lght/2019/SEVIR_LGHT_ALLEVENTS_2019_0101_0630.h5"
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as made:
        for event in times:
            made[event] = np.array([[-7100.0, 35, -98, 3.5, 10.2], [-7100.0, 35, -98, 3.9, 10.0]])
            rows.append(line(event, name, 0, "lght", times[event]))
    (tmp_path / "CATALOG.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_frames_are_taken_along_the_last_axis_of_their_own_event(archive):
    opened = open_source(request(archive, "vil", "ir069"))
    assert opened.attrs["events"] == ["S1", "S2"]
    assert opened.attrs["left_out"]["lacks an image type"] == 1
    assert opened.vil.shape == (98, 96, 96)
    assert opened.segment.values.tolist() == [0] * 49 + [1] * 49
    assert str(opened.time.values[49])[:16] == "2019-05-02T16:00"
    with h5py.File(next((archive / "data/vil/2019").glob("*.h5"))) as raw:
        stored = raw["vil"][1]  # S1 is the second event of the file
    expected = decode_vil(stored[:, :, 7])
    assert np.array_equal(opened.vil.values[7], expected, equal_nan=True)
    assert opened.attrs["rows"] == "south-to-north"


def test_image_types_are_aligned_by_minute_not_by_index(archive):
    opened = open_source(request(archive, "vil", "ir069"))
    with h5py.File(next((archive / "data/ir069/2019").glob("*.h5"))) as raw:
        kelvin = (raw["ir069"][1] * 0.01 + 273.15).astype("f4")
    assert np.allclose(opened.ir069.values[49 + 3], kelvin[:, :, 3], atol=1e-3)
    assert opened.ir069.dims == ("time", "y_ir069", "x_ir069")


def test_lightning_is_counted_in_the_frame_that_ends_its_five_minutes(archive):
    opened = open_source(request(archive, "vil", "lght"))
    counts = opened.lght.values
    assert counts.shape == (147, 48, 48)
    assert np.isnan(counts[0]).all()
    assert counts[1, 10, 3] == 2 and counts[1].sum() == 2 and counts[2].sum() == 0


def test_flashes_outside_the_event_are_not_counted():
    flashes = np.array(
        [[-7300.0, 0, 0, 1, 1], [7300, 0, 0, 1, 1], [0, 0, 0, 48, 1], [0, 0, 0, 2, 5]]
    )
    counts = count_flashes(flashes, tuple(range(-120, 121, 5)), 48)
    assert np.nansum(counts) == 1 and counts[5, 2, 24] == 1


def test_vil_codes_decode_as_the_data_description_says():
    got = decode_vil(np.array([0, 5, 18, 19, 254, 255, 16, 219]))
    assert np.allclose(got[:5], [0, 0, 0.176484, 0.188552, 79.261352], rtol=1e-5)
    assert np.isnan(got[5])
    assert np.allclose(got[6:], [0.154, 32.234], rtol=1e-2)


def test_a_damaged_file_is_skipped_with_a_count_and_remembered(archive, tmp_path):
    good = open_source(request(archive, "vil", "vis"))
    path = next((archive / "data/vis/2019").glob("*.h5"))
    other = path.with_name("SEVIR_VIS_STORMEVENTS_2019_0701_1231.h5")
    whole = path.read_bytes()
    other.write_bytes(whole[: len(whole) // 2])
    text = (archive / "CATALOG.csv").read_text()
    moved = text.replace(
        "S3,vis/2019/SEVIR_VIS_STORMEVENTS_2019_0101_0630.h5", f"S3,vis/2019/{other.name}"
    )
    (archive / "CATALOG.csv").write_text(moved)
    record = tmp_path / "cache" / "damaged.json"
    asked = request(archive, "vil", "vis", damage_record=record)
    opened = open_source(asked)
    assert opened.attrs["left_out"]["in a damaged file"] == 1
    assert opened.attrs["left_out"]["damaged files"] == 1
    assert len(opened.attrs["events"]) == len(good.attrs["events"]) - 1
    assert other.name in record.read_text()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SevirArchive, "open", None)  # nothing is tried again
        assert SevirArchive(str(archive), record=record).damaged([f"vis/2019/{other.name}"])
    other.write_bytes(whole)  # mended: tried anew
    assert open_source(asked).attrs["left_out"]["damaged files"] == 0


def test_a_damaged_event_is_found_once_and_left_out_with_a_count(archive, tmp_path):
    path = next((archive / "data/vil/2019").glob("*.h5"))
    with h5py.File(path) as made:
        ids, codes = made["id"][...], made["vil"][...]
    with h5py.File(path, "w") as made:
        made["id"] = ids
        chunks = (1, *codes.shape[1:])
        made.create_dataset("vil", data=codes, chunks=chunks, compression="gzip")
        place = made["vil"].id.get_chunk_info(1)
    raw = bytearray(path.read_bytes())
    middle = place.byte_offset + place.size // 2
    raw[middle : middle + 200] = bytes(200)
    path.write_bytes(raw)
    event = ids[1].decode()
    with pytest.raises(IntegrityError, match="damaged"):  # nobody remembers: said when it is read
        _ = open_source(request(archive, "vil")).vil.values
    record = tmp_path / "cache" / "damage.json"
    asked = request(archive, "vil", damage_record=record)
    opened = open_source(asked)
    assert opened.attrs["left_out"]["damaged events"] == 1
    assert event not in opened.attrs["events"] and len(opened.attrs["events"]) == 2
    assert np.isfinite(opened.vil.values).any()
    written = record.read_text()
    assert event in written
    assert open_source(asked).attrs["events"] == opened.attrs["events"]
    assert record.read_text() == written


def test_overlapping_events_lose_only_their_own_frames(tmp_path):
    """Two events at one time: a sum over an hour is missing at the first frames of each."""
    times = np.datetime64("2019-05-01T16:00", "ns") + np.arange(24) * np.timedelta64(5, "m")
    rain = Variable(id="r", long_name="rain", units="mm", kind="accumulation", window=FIVE)
    hour = Variable(
        id="h",
        long_name="rain",
        units="mm",
        kind="accumulation",
        window=Duration(3600),
        derived=Derivation(formula="running_sum", inputs=("r",), window=Duration(3600)),
    )
    source = xr.Dataset(
        {"r": (("time", "y", "x"), np.ones((48, 2, 2), np.float32))},
        coords={
            "time": np.concatenate([times, times + np.timedelta64(60, "m")]),
            "segment": ("time", np.repeat([0, 1], 24).astype(np.int32)),
        },
        attrs={"missing_times": [], "winds": "earth-relative"},
    )
    asked = replace(request(tmp_path, "vil"), lexicon={"r": rain, "h": hour})
    made = derive(source, asked, ("h",))
    lacking = set(made.attrs["missing_fields"]["h"])
    assert len(lacking) == 22
    keys = moment_keys(made)
    present = np.array([key not in lacking for key in keys])
    assert np.isfinite(made.h.values[present]).all() and np.isnan(made.h.values[~present]).all()


def test_an_event_that_is_not_where_the_catalogue_says_is_refused(archive):
    path = archive / "CATALOG.csv"
    swapped = path.read_text().replace("S1,vil", "SX,vil").replace("S2,vil", "S1,vil")
    path.write_text(swapped.replace("SX,vil", "S2,vil"))
    with pytest.raises(IntegrityError, match="the catalogue says"):
        _ = open_source(request(archive, "vil")).vil.values


def test_no_event_in_the_period_says_so(archive):
    with pytest.raises(NotFound, match="no event has all of vil"):
        open_source(request(archive, "vil", times=("2020-01-01T00:00", "2020-02-01T00:00")))


def test_a_mangled_catalogue_is_repaired_and_the_damage_reported():
    mangled = (
        b"\xef\xbb\xbf"
        + HEADER.encode()
        + b"\r\n"
        + line("S1", "a.h5", 0, "vil", "5/12/19 18:30").replace("+proj=laea", "#NAME?").encode()
        + b"\r\n"
        + b"S2,a.h5,1,vil,never,-120:-115,1,,,#NAME?\r\n"
    )
    found = parse_catalogue(mangled, "CATALOG.csv")
    assert list(found.events("vil")) == ["S1"]
    assert str(found.events("vil")["S1"].time) == "2019-05-12T18:30"
    assert found.table.proj.str.startswith("+proj").all()
    assert len(found.damage) == 5


@pytest.mark.parametrize("raw", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_what_is_no_catalogue_is_refused(raw):
    with pytest.raises(IntegrityError, match="catalogue"):
        parse_catalogue(raw, "CATALOG.csv")


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not here")
def test_the_real_mangled_catalogue_is_read_whole():
    found = parse_catalogue(REAL.read_bytes(), str(REAL))
    events = found.events("vil")
    assert len(events) == 851
    firsts = np.unique([row.offsets[0] for row in events.values()], return_counts=True)
    assert dict(zip(*(part.tolist() for part in firsts), strict=True)) == {
        -122: 116,
        -121: 106,
        -120: 405,
        -119: 90,
        -118: 134,
    }
    assert found.damage == (
        "a byte-order mark was taken off",
        "851 dates had the form %m/%d/%y %H:%M",
        "851 projections were '#NAME?'",
        "1 events have no range of values",
    )


def test_archive_places():
    assert SevirArchive("s3://sevir/").path("vil/2019/a.h5") == "s3://sevir/data/vil/2019/a.h5"


@pytest.mark.parametrize("shape", [(1, 10**6, 10**6, 49), (1, 96, 96, 12), (1, 96, 96)])
def test_an_absurd_shape_is_refused_before_it_is_read(archive, shape):
    path = next((archive / "data/vil/2019").glob("*.h5"))
    with h5py.File(path, "r+") as made:
        del made["vil"]
        made.create_dataset("vil", shape=shape, dtype="u1", chunks=True)  # a few bytes on the disk
    with pytest.raises(IntegrityError, match=r"claims|has the shape"):
        _ = open_source(request(archive, "vil")).vil[0].values


def test_an_absurd_list_of_flashes_is_refused(archive):
    path = next((archive / "data/lght/2019").glob("*.h5"))
    with h5py.File(path, "r+") as made:
        del made["S1"]
        made.create_dataset("S1", shape=(10**11, 5), dtype="f8", chunks=(1000, 5))
    with pytest.raises(IntegrityError, match="flashes of S1"):
        _ = open_source(request(archive, "vil", "lght")).lght[1].values
