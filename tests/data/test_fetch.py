from __future__ import annotations

import pytest
from archive_servers import HttpArchive, s3_archive

from wxreg.data import fetch as fetching
from wxreg.data.fetch import Archive, fetch
from wxreg.errors import ExternalError, UsageError

NAMES = [
    f"hrrr.20230601/conus/hrrr.t{hour:02d}z.wrfsfcf00.grib2{suffix}"
    for hour in range(3)
    for suffix in ("", ".idx")
]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "_PIECE", 1000)
    made = HttpArchive()
    made.files = {name: name.encode() * 60 for name in NAMES}
    yield made
    made.close()


def patient(server: HttpArchive, **more) -> Archive:
    return Archive(server.root, **({"wait": 0.01, "timeout": 0.8, "parallel": 2} | more))


def test_a_range_is_fetched_once_and_a_missing_hour_is_a_gap(server, tmp_path):
    gone = [name for name in NAMES if "t01z" in name]
    for name in gone:
        del server.files[name]
    report = fetch(patient(server), NAMES, tmp_path)
    report.check()
    assert report.named("missing") == gone
    for name, data in server.files.items():
        assert (tmp_path / name).read_bytes() == data
    before = server.sent.total()
    again = fetch(patient(server), NAMES, tmp_path)
    assert len(again.named("there")) == 4 and server.sent.total() == before
    assert not list(tmp_path.rglob("*.part*"))


def test_a_server_that_is_down_lacks_no_file(server, tmp_path):
    """Over HTTP the libraries below say "not found" of an answer 503 as well."""
    server.trouble = {NAMES[0]: ["down"] * 3, NAMES[2]: ["down"] * 99}
    report = fetch(patient(server, attempts=3), [NAMES[0], NAMES[2]], tmp_path)
    assert report.outcomes == {NAMES[0]: "fetched", NAMES[2]: "failed"}
    assert "503" in report.reasons[NAMES[2]]


@pytest.mark.parametrize("trouble", ["503", "cut", "slow"])
def test_trouble_that_passes_is_waited_out(server, tmp_path, trouble):
    name = NAMES[0]
    server.trouble[name] = [trouble, "", trouble]
    report = fetch(patient(server), [name], tmp_path)
    assert report.named("fetched") == [name]
    assert (tmp_path / name).read_bytes() == server.files[name]


@pytest.mark.parametrize("trouble", ["503", "cut"])
def test_trouble_that_stays_leaves_no_whole_looking_file(server, tmp_path, trouble):
    name = NAMES[0]
    server.trouble[name] = ["", *[trouble] * 50]
    report = fetch(patient(server, attempts=2), [name], tmp_path)
    assert report.named("failed") == [name]
    assert not (tmp_path / name).exists()
    with pytest.raises(ExternalError, match="1 of 1 files could not be fetched"):
        report.check()
    server.trouble.clear()
    before = server.sent.total()
    fetch(patient(server), [name], tmp_path).check()
    assert (tmp_path / name).read_bytes() == server.files[name]
    assert server.sent.total() - before <= len(server.files[name]) - 1000, (
        "the first piece was kept"
    )


def test_a_part_of_another_object_is_not_continued(server, tmp_path):
    name = NAMES[0]
    server.trouble[name] = ["", *["503"] * 50]
    fetch(patient(server, attempts=1), [name], tmp_path)
    server.trouble.clear()
    server.files[name] = b"other" * 700
    fetch(patient(server), [name], tmp_path).check()
    assert (tmp_path / name).read_bytes() == b"other" * 700


def test_a_name_that_leaves_the_folder_is_refused(server, tmp_path):
    with pytest.raises(UsageError, match="leaves"):
        fetch(patient(server), ["../x"], tmp_path)


def test_s3_with_the_real_naming(tmp_path):
    files = {name: name.encode() * 9 for name in NAMES[:3]}
    with s3_archive("noaa-hrrr-bdp-pds", files) as storage:
        archive = Archive("s3://noaa-hrrr-bdp-pds", storage, wait=0.01, parallel=1)
        report = fetch(archive, NAMES, tmp_path)
    assert report.named("fetched") == NAMES[:3] and report.named("missing") == NAMES[3:]
    assert (tmp_path / NAMES[1]).read_bytes() == NAMES[1].encode() * 9
