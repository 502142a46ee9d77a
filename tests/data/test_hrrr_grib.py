from __future__ import annotations

import http.server
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tiny_grib import (
    ENTRIES,
    GRID,
    LEXICON,
    START,
    Message,
    analysis,
    field,
    message_bytes,
    path_of,
    rain,
    request,
    write_archive,
)

from wxreg.data.reading import open_source
from wxreg.errors import Incompatible, IntegrityError, NotFound


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path)


def test_the_state_joins_f00_with_the_hourly_sums_of_the_run_before(archive: Path) -> None:
    opened = open_source(request(archive))
    assert opened.t2m.dims == ("time", "y", "x")
    assert opened.t2m.dtype == np.float32
    assert opened.attrs["rows"] == "south-to-north"
    assert opened.attrs["missing_times"] == []
    np.testing.assert_allclose(opened.t2m[2], field(2, 280.0 - 273.15), atol=2e-3)
    np.testing.assert_allclose(opened.precip[2], np.abs(field(1)), atol=2e-3)
    assert opened.t2m.data.chunks[0] == (1,) * 6


def test_sentinels_become_what_the_catalog_says(archive: Path) -> None:
    refc = open_source(request(archive)).refc[0].values
    assert np.isnan(refc[0, 0])
    assert np.isfinite(refc.ravel()[1:]).all()


def test_absent_files_are_listed_not_skipped(tmp_path: Path) -> None:
    write_archive(tmp_path, absent=(2,))
    opened = open_source(request(tmp_path))
    assert opened.attrs["missing_times"] == ["2023-06-01T02:00"]
    assert opened.sizes["time"] == 6
    assert np.isnan(opened.t2m[2]).all()
    assert np.isfinite(opened.t2m[3]).all()


def test_a_variable_missing_in_some_hours_is_named(archive: Path) -> None:
    path = path_of(archive, START + timedelta(hours=3), 0)
    path.write_bytes(
        b"".join(message_bytes(START + timedelta(hours=3), m) for m in analysis(3)[1:])
    )
    opened = open_source(request(archive))
    assert opened.attrs["missing_fields"] == {"t2m": ["2023-06-01T03:00"]}
    assert opened.attrs["missing_times"] == []


def test_two_unlike_messages_for_one_selector_are_refused(archive: Path) -> None:
    messages = [*analysis(0), Message((0, 0, 0), (103, 2), field(9, 250.0))]
    path_of(archive, START, 0).write_bytes(b"".join(message_bytes(START, m) for m in messages))
    with pytest.raises(IntegrityError, match="2 messages match t2m"):
        open_source(request(archive)).t2m[0].compute()


def test_the_sum_that_f01_holds_twice_is_one(archive: Path) -> None:
    run = START - timedelta(hours=1)
    path_of(archive, run, 1).write_bytes(message_bytes(run, rain(-1)) * 2)
    np.testing.assert_allclose(
        open_source(request(archive)).precip[0], np.abs(field(-1)), atol=2e-3
    )


def test_a_wider_span_is_not_the_hourly_sum(archive: Path) -> None:
    run = START - timedelta(hours=1)
    long = Message((0, 1, 8), (1, 0), field(5), hours=12, window=12)
    path_of(archive, run, 1).write_bytes(message_bytes(run, long))
    fields = open_source(request(archive)).attrs["missing_fields"]
    assert fields == {"precip": ["2023-06-01T00:00"]}


@pytest.mark.parametrize("cut", [3, 60, 150, -1])
def test_a_truncated_file_names_offset_and_message(archive: Path, cut: int) -> None:
    path = path_of(archive, START + timedelta(hours=1), 0)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IntegrityError) as caught:
        open_source(request(archive))
    assert "at byte" in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_damaged_member_in_the_middle_is_never_skipped(archive: Path) -> None:
    path = path_of(archive, START + timedelta(hours=1), 0)
    raw = bytearray(path.read_bytes())
    second = raw.index(b"GRIB", 10)
    raw[second : second + 4] = b"XXXX"
    path.write_bytes(raw)
    with pytest.raises(IntegrityError, match="belong to no GRIB message"):
        open_source(request(archive))


def test_stray_bytes_between_messages_survive(archive: Path) -> None:
    path = path_of(archive, START, 0)
    path.write_bytes(b"".join(message_bytes(START, m) + b"G" for m in analysis(0)) + b"\0" * 5000)
    np.testing.assert_allclose(open_source(request(archive)).v10[0], field(0, -3.0), atol=2e-3)


def test_an_absurd_shape_is_refused_before_decoding(archive: Path) -> None:
    path = path_of(archive, START, 0)
    raw = bytearray(path.read_bytes())
    section = raw.index(bytes([0, 0, 0, 81, 3]))  # a Lambert grid section
    raw[section + 30 : section + 38] = (10**6).to_bytes(4, "big") * 2
    path.write_bytes(raw)
    with pytest.raises(Incompatible, match=r"1,000,000,000,000 cells") as caught:
        open_source(request(archive)).t2m[0].compute()
    assert caught.value.code == "REG-431"


def test_an_unlike_grid_in_mid_archive_is_refused(archive: Path) -> None:
    moved = GRID.model_copy(update={"origin": (300000.0, 700000.0)})
    with pytest.raises(Incompatible, match="the catalog says"):
        open_source(request(archive, grid=moved)).t2m[0].compute()


def test_packing_may_differ_from_file_to_file(archive: Path) -> None:
    run = START + timedelta(hours=1)
    messages = [Message((0, 0, 0), (103, 2), field(1, 280.0), packing="grid_complex", bits=12)]
    messages += [Message(m.parameter, m.surface, m.values, bits=24) for m in analysis(1)[1:]]
    path_of(archive, run, 0).write_bytes(b"".join(message_bytes(run, m) for m in messages))
    opened = open_source(request(archive))
    np.testing.assert_allclose(opened.t2m[1], field(1, 280.0 - 273.15), atol=3e-3)
    np.testing.assert_allclose(opened.t2m[2], field(2, 280.0 - 273.15), atol=3e-3)


def test_a_change_of_parameter_in_mid_archive_follows_since_and_until(archive: Path) -> None:
    later = START + timedelta(hours=3)
    for k in range(3, 6):
        run = START + timedelta(hours=k)
        renamed = Message((0, 0, 192), (103, 2), field(k, 280.0))
        path_of(archive, run, 0).write_bytes(message_bytes(run, renamed))
    old, new = ENTRIES[0], ENTRIES[0]
    change = f"{later:%Y-%m-%dT%H:%M}"
    entries = (
        old.model_copy(update={"until": change}),
        new.model_copy(
            update={"since": change, "grib": new.grib.model_copy(update={"number": 192})}  # type: ignore[union-attr]
        ),
    )
    opened = open_source(request(archive, entries=entries))
    assert opened.attrs["missing_fields"] == {}
    for k in range(6):
        np.testing.assert_allclose(opened.t2m[k], field(k, 280.0 - 273.15), atol=2e-3)


def test_a_change_of_units_in_mid_archive_follows_since_and_until(archive: Path) -> None:
    """As MASSDEN was in micrograms until a day, under one name, whatever the file says."""
    for k in range(3):
        run = START + timedelta(hours=k)
        celsius = Message((0, 0, 0), (103, 2), field(k, 280.0 - 273.15))
        path_of(archive, run, 0).write_bytes(message_bytes(run, celsius))
    change = f"{START + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    (same,) = [entry for entry in ENTRIES if entry.id == "t2m"]
    entries = (
        same.model_copy(update={"until": change, "units": "degC"}),
        same.model_copy(update={"since": change, "units": "K"}),
    )
    opened = open_source(request(archive, entries=entries))
    for k in range(6):
        np.testing.assert_allclose(opened.t2m[k], field(k, 280.0 - 273.15), atol=2e-3)


def test_levels_are_read_in_hectopascals(archive: Path) -> None:
    from wxreg.specs.variables import GribSelector, VariableEntry

    for k in range(6):
        run = START + timedelta(hours=k)
        planes = [Message((0, 0, 0), (100, p), field(k, p / 100)) for p in (85000, 50000)]
        path_of(archive, run, 0, "prs").write_bytes(b"".join(message_bytes(run, m) for m in planes))
    entry = VariableEntry(
        id="t",
        units="K",
        grib=GribSelector(
            discipline=0, category=0, number=0, level_type=100, levels=True, product="prs"
        ),
    )
    opened = open_source(request(archive, entries=(entry,), levels=(500.0, 850.0)))
    assert opened.t.dims == ("time", "level", "y", "x")
    np.testing.assert_allclose(opened.t[1].sel(level=850.0), field(1, 850.0), atol=2e-3)
    with pytest.raises(Incompatible, match="levels"):
        open_source(request(archive, entries=(entry,), levels=(500.0, 700.0)))


def test_an_archive_without_any_file_is_not_an_empty_dataset(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_source(request(tmp_path))


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves byte ranges, as object stores do, and counts what it sends."""

    sent: list[int]

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, wanted = path.read_bytes(), self.headers.get("Range")
        status = 200
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data, status = data[int(first) : int(last) + 1 if last else None], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        if not self.path.endswith(".idx"):
            self.sent.append(len(data))

    def log_message(self, *_args: object) -> None:
        return


def test_one_variable_of_a_remote_file_is_one_small_read(archive: Path) -> None:
    path = path_of(archive, START, 0)
    parts = [message_bytes(START, m) for m in analysis(0)]
    path.write_bytes(b"".join(parts))
    names = ("TMP:2 m above ground", "UGRD:10 m above ground", "VGRD:10 m above ground", "REFC:e")
    lines, offset = [], 0
    for number, (name, raw) in enumerate(zip(names, parts, strict=True), 1):
        lines.append(f"{number}:{offset}:d=2023060100:{name}:anl:")
        offset += len(raw)
    path.with_name(path.name + ".idx").write_text("\n".join(lines) + "\n")
    sent: list[int] = []
    handler = type("Counting", (_Ranges,), {"sent": sent})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=archive))  # type: ignore[arg-type]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        opened = open_source(request(url, hours=1, entries=(ENTRIES[0],)))
        np.testing.assert_allclose(opened.t2m[0], field(0, 280.0 - 273.15), atol=2e-3)
    finally:
        server.shutdown()
        server.server_close()
    assert len(sent) == 1
    assert sent[0] <= 1.1 * len(parts[0])


def test_lexicon_ids_are_what_the_dataset_is_named_by(archive: Path) -> None:
    assert set(open_source(request(archive)).data_vars) <= set(LEXICON)
