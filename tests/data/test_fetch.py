from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wxreg.data import fetch as fetching
from wxreg.data.fetch import Archive, fetch, hrrr_names
from wxreg.errors import ExternalError, UsageError

NAMES = hrrr_names("2023-06-01T00", "2023-06-01T03", hours=(0,))


class Server(ThreadingHTTPServer):
    """An archive with ranges that can fail on command."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.trouble: dict[str, list[str]] = {}
        self.gets: Counter[str] = Counter()
        self.sent = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        name = self.path.lstrip("/")
        data = self.server.files.get(name)
        if data is None:
            return self.send_error(404)
        first, last, status = 0, len(data), 200
        if "Range" in self.headers:
            start, end = self.headers["Range"].removeprefix("bytes=").split("-")
            first, last, status = int(start), int(end) + 1, 206
        trouble = self.server.trouble.get(name, [])
        how = trouble.pop(0) if body and trouble else ""
        if how == "503":
            return self.send_error(503)
        if how == "slow":
            time.sleep(1.5)
        part = data[first:last]
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", str(hash(data)))
        self.send_header("Content-Length", str(len(part)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.server.gets[name] += 1
            part = part[: len(part) // 2] if how == "cut" else part
            self.server.sent += len(part)
            self.wfile.write(part)
            if how == "cut":
                self.close_connection = True
        return None


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "_PIECE", 1000)
    made = Server()
    made.files = {name: name.encode() * 60 for name in NAMES}
    yield made
    made.shutdown()
    made.server_close()


def patient(server: Server, **more) -> Archive:
    return Archive(server.root, **({"wait": 0.01, "timeout": 0.8, "parallel": 2} | more))


def test_the_names_are_those_of_the_bucket():
    assert NAMES[2:4] == [
        "hrrr.20230601/conus/hrrr.t01z.wrfsfcf00.grib2",
        "hrrr.20230601/conus/hrrr.t01z.wrfsfcf00.grib2.idx",
    ]


def test_a_range_is_fetched_once_and_a_missing_hour_is_a_gap(server, tmp_path):
    gone = [name for name in NAMES if "t01z" in name]
    for name in gone:
        del server.files[name]
    report = fetch(patient(server), NAMES, tmp_path)
    report.check()
    assert report.named("missing") == gone
    for name, data in server.files.items():
        assert (tmp_path / name).read_bytes() == data
    before = server.sent
    again = fetch(patient(server), NAMES, tmp_path)
    assert len(again.named("there")) == 4 and server.sent == before
    assert not list(tmp_path.rglob("*.part*"))


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
    before = server.sent
    fetch(patient(server), [name], tmp_path).check()
    assert (tmp_path / name).read_bytes() == server.files[name]
    assert server.sent - before <= len(server.files[name]) - 1000, "the first piece was kept"


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


def test_s3_with_the_real_naming(tmp_path, monkeypatch):
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="noaa-hrrr-bdp-pds")
        for name in NAMES[:3]:
            client.put_object(Bucket="noaa-hrrr-bdp-pds", Key=name, Body=name.encode() * 9)
        storage = {"client_kwargs": {"endpoint_url": endpoint}}
        archive = Archive("s3://noaa-hrrr-bdp-pds", storage, wait=0.01, parallel=1)
        report = fetch(archive, NAMES, tmp_path)
    finally:
        running.stop()
    assert report.named("fetched") == NAMES[:3] and report.named("missing") == NAMES[3:]
    assert (tmp_path / NAMES[1]).read_bytes() == NAMES[1].encode() * 9
