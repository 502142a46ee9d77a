"""GRIB behind URLs: one field costs about its own bytes, with an index and without."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import eccodes
import numpy as np
import pytest
from archive_servers import HttpArchive, s3_archive
from tiny_grib import ENTRIES, GRID, START, Message, field, message_bytes, request

from wxreg.data.readers.grib_messages import scan_messages
from wxreg.data.reading import open_source
from wxreg.errors import ExternalError, IntegrityError

NAME = "hrrr.20230601/conus/hrrr.t00z.wrfsfcf00.grib2"
WIDE = GRID.model_copy(update={"shape": (150, 200)})
DRAW = np.random.default_rng(3)
FIELDS = {
    "TMP:surface": Message((0, 0, 0), (1, 0), DRAW.normal(290, 5, WIDE.shape)),
    "TMP:2 m above ground": Message((0, 0, 0), (103, 2), DRAW.normal(280, 5, WIDE.shape)),
    "REFC:entire atmosphere": Message((0, 16, 5), (10, 0), DRAW.normal(20, 5, WIDE.shape)),
}
PARTS = {name: message_bytes(START, message, WIDE) for name, message in FIELDS.items()}
T2M = FIELDS["TMP:2 m above ground"].values
ENTRY = ENTRIES[0].model_copy(update={"units": "degC"})


def index_of(parts: dict[str, bytes]) -> bytes:
    lines, offset = [], 0
    for number, (name, raw) in enumerate(parts.items(), 1):
        lines.append(f"{number}:{offset}:d=2023060100:{name}:anl:\n")
        offset += len(raw)
    return "".join(lines).encode()


FILES = {NAME: b"".join(PARTS.values()), f"{NAME}.idx": index_of(PARTS)}


@pytest.fixture
def server() -> Iterator[HttpArchive]:
    made = HttpArchive()
    made.files = dict(FILES)
    yield made
    made.close()


def read(location: str, **changes: object) -> np.ndarray:
    asked = request(location, hours=1, entries=(ENTRY,), grid=WIDE, **changes)
    found: np.ndarray = open_source(asked).t2m[0].values
    return found


def test_a_local_file_is_read_by_its_own_headers(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    np.testing.assert_allclose(read(str(tmp_path)), T2M, atol=2e-3)


def test_one_field_over_http_moves_its_own_bytes(server: HttpArchive) -> None:
    np.testing.assert_allclose(read(server.root), T2M, atol=2e-3)
    assert server.gets[NAME] == 1
    assert server.sent[NAME] <= 1.1 * len(PARTS["TMP:2 m above ground"])


def test_the_last_field_ends_where_the_file_does(server: HttpArchive) -> None:
    parts = {name: PARTS[name] for name in ("REFC:entire atmosphere", "TMP:2 m above ground")}
    server.files = {NAME: b"".join(parts.values()), f"{NAME}.idx": index_of(parts)}
    np.testing.assert_allclose(read(server.root), T2M, atol=2e-3)
    assert server.sent[NAME] <= 1.1 * len(PARTS["TMP:2 m above ground"])


def test_without_an_index_only_headers_are_walked(server: HttpArchive) -> None:
    del server.files[f"{NAME}.idx"]
    np.testing.assert_allclose(read(server.root), T2M, atol=2e-3)
    walked = server.sent[NAME] - len(PARTS["TMP:2 m above ground"])
    assert walked <= 0.2 * len(FILES[NAME])


def test_a_server_without_ranges_is_refused_with_the_way_out(server: HttpArchive) -> None:
    del server.files[f"{NAME}.idx"]
    server.ranges = False
    with pytest.raises(ExternalError) as caught:
        read(server.root)
    assert caught.value.code == "REG-730"


@pytest.mark.parametrize("indexed", [True, False])
def test_one_field_from_s3(indexed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from s3fs import S3FileSystem

    pieces: list[int] = []
    fetch = S3FileSystem._cat_file

    async def counted(self: S3FileSystem, *args: object, **more: object) -> bytes:
        data: bytes = await fetch(self, *args, **more)
        pieces.append(len(data))
        return data

    monkeypatch.setattr(S3FileSystem, "_cat_file", counted)
    files = FILES if indexed else {NAME: FILES[NAME]}
    with s3_archive("noaa-hrrr-bdp-pds", files) as options:
        values = read("s3://noaa-hrrr-bdp-pds", storage_options=options)
    np.testing.assert_allclose(values, T2M, atol=2e-3)
    own = len(PARTS["TMP:2 m above ground"])
    if indexed:
        assert sum(pieces) <= 1.1 * own + len(FILES[f"{NAME}.idx"])
    else:
        assert sum(pieces) <= own + 0.2 * len(FILES[NAME])


def test_a_missing_hour_is_a_gap_and_a_failing_server_is_not(server: HttpArchive) -> None:
    asked = request(server.root, hours=2, entries=(ENTRY,), grid=WIDE)
    assert open_source(asked).attrs["missing_times"] == ["2023-06-01T01:00"]
    server.trouble[f"{NAME}.idx"] = ["503"] * 9
    with pytest.raises(ExternalError, match="503"):
        open_source(asked)


def test_an_index_of_another_file_is_found_out(server: HttpArchive) -> None:
    first, second, third = PARTS.values()
    server.files[NAME] = second + first + third
    with pytest.raises(IntegrityError, match="the index says TMP:2 m above ground") as caught:
        read(server.root)
    assert caught.value.code == "REG-531"
    server.files[NAME] = first + second[100:] + third
    with pytest.raises(IntegrityError, match="message 2"):
        read(server.root)


def test_a_remote_file_cut_short_is_named(server: HttpArchive) -> None:
    server.files[NAME] = FILES[NAME][: len(PARTS["TMP:surface"]) + 500]
    with pytest.raises(IntegrityError, match="message 2 is cut short"):
        read(server.root)


def two_in_one(bitmap: bool = False) -> bytes:
    """A wind in one message, as NCEP packs it: sections 4 to 7 come twice."""
    handle = eccodes.codes_new_from_message(
        message_bytes(START, Message((0, 2, 2), (103, 10), field(1, 5.0)))
    )
    eccodes.codes_grib_multi_support_on()
    multi = eccodes.codes_grib_multi_new()
    try:
        for parameter, low in ((2, 5.0), (3, -3.0)):
            values = field(1, low).ravel()
            eccodes.codes_set(handle, "parameterNumber", parameter)
            if bitmap:
                eccodes.codes_set(handle, "bitmapPresent", 1)
                values[7] = eccodes.codes_get(handle, "missingValue")
            eccodes.codes_set_values(handle, values)
            eccodes.codes_grib_multi_append(handle, 4, multi)
        with tempfile.TemporaryFile() as stream:
            eccodes.codes_grib_multi_write(multi, stream)
            stream.seek(0)
            return stream.read()
    finally:
        eccodes.codes_grib_multi_release(multi)
        eccodes.codes_release(handle)
        eccodes.codes_grib_multi_support_off()


@pytest.mark.parametrize("bitmap", [False, True])
def test_every_field_of_a_message_is_found(tmp_path: Path, bitmap: bool) -> None:
    raw = two_in_one(bitmap)
    found = scan_messages(io.BytesIO(raw), "x")
    assert [(one.parameter, one.part) for one in found] == [(2, 1), (3, 2)]
    path = tmp_path / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    opened = open_source(request(tmp_path, hours=1, entries=ENTRIES[1:3]))
    for name, low in (("u10", 5.0), ("v10", -3.0)):
        expected = field(1, low)
        if bitmap:
            expected.ravel()[7] = np.nan
        np.testing.assert_allclose(opened[name][0], expected, atol=2e-3)


def test_an_index_names_the_parts_of_a_message(server: HttpArchive) -> None:
    raw = two_in_one()
    keys = ("UGRD:10 m above ground", "VGRD:10 m above ground")
    entries = tuple(
        entry.model_copy(update={"grib": entry.grib.model_copy(update={"idx": key})})
        for entry, key in zip(ENTRIES[1:3], keys, strict=True)
        if entry.grib is not None
    )
    lines = [f"1.{part}:0:d=2023060100:{key}:anl:\n" for part, key in enumerate(keys, 1)]
    server.files = {NAME: raw, f"{NAME}.idx": "".join(lines).encode()}
    opened = open_source(request(server.root, hours=1, entries=entries))
    np.testing.assert_allclose(opened.v10[0], field(1, -3.0), atol=2e-3)
    server.files[f"{NAME}.idx"] = "".join(lines).replace("1.1:", "1:").encode()
    opened = open_source(request(server.root, hours=1, entries=entries))
    with pytest.raises(IntegrityError, match="holds 2 fields"):
        opened.u10[0].compute()
