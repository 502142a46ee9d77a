"""``reg data fetch`` as a user calls it, against archives on loopback with the real names."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from archive_servers import HttpArchive, s3_archive

from wxreg.cli.main import run
from wxreg.data import fetch as fetching

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "s3://noaa-hrrr-bdp-pds"
RUNS = [
    f"hrrr.20230601/conus/hrrr.t{hour:02d}z.wrfsfcf{step}.grib2{suffix}"
    for hour in (22, 23)
    for step in ("00", "01")
    for suffix in ("", ".idx")
]
RANGE = ("--start", "2023-06-01T22:00", "--end", "2023-06-02")
FILES = {name: f"{name};".encode() * 50 for name in RUNS}
CATALOGUE = """id,file_name,file_index,img_type,time_utc,minute_offsets
S1,vil/2019/SEVIR_VIL_A.h5,0,vil,2019-06-01 10:00:00,-5:0:5
S1,ir069/2019/SEVIR_IR069_A.h5,0,ir069,2019-06-01 10:00:00,-5:0:5
S2,vil/2019/SEVIR_VIL_B.h5,1,vil,2019-07-01 10:00:00,-5:0:5
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The catalog of this repository in a folder with a space."""
    root = tmp_path / "work space"
    shutil.copytree(ROOT / "catalog", root / "catalog")
    (root / "registry").mkdir()
    return root


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpArchive]:
    monkeypatch.setattr(fetching, "_PIECE", 1000)
    made = HttpArchive()
    made.files = dict(FILES)
    yield made
    made.close()


Reg = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def reg(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Reg:
    def call(*words: str) -> tuple[int, dict[str, Any]]:
        with pytest.raises(SystemExit) as ended:
            run(["--workspace", str(workspace), "--json", "data", "fetch", *words])
        out = capsys.readouterr().out
        return int(ended.value.code or 0), json.loads(out)

    return call


def point(workspace: Path, dataset: str, old: str, new: str, storage: object = None) -> None:
    """Let the sources of a dataset lie elsewhere; all else stays as it is shipped."""
    path = workspace / "catalog" / f"{dataset}.yaml"
    body = yaml.safe_load(path.read_text())
    for source in body["sources"].values():
        if str(source["args"]["urlpath"]) == old:
            source["args"] |= {"urlpath": new, "storage_options": deepcopy(storage or {})}
    path.write_text(yaml.safe_dump(body, sort_keys=False))


def test_a_range_comes_under_the_names_of_the_bucket(
    workspace: Path, server: HttpArchive, reg: Reg, tmp_path: Path
) -> None:
    point(workspace, "hrrr", BUCKET, server.root)
    gone = RUNS[4:6]
    for name in gone:
        del server.files[name]
    status, told = reg("hrrr", str(tmp_path / "raw"), *RANGE)
    assert (status, told["missing"]) == (0, gone)
    assert sorted(told["fetched"]) == sorted(server.files)
    for name, data in server.files.items():
        assert (tmp_path / "raw" / name).read_bytes() == data
    status, again = reg("hrrr", str(tmp_path / "raw"), *RANGE)
    assert (status, again["bytes"], len(again["there"])) == (0, 0, len(server.files))


def test_trouble_that_passes_costs_only_patience(
    workspace: Path, server: HttpArchive, reg: Reg, tmp_path: Path
) -> None:
    point(workspace, "hrrr", BUCKET, server.root)
    server.trouble = {RUNS[0]: ["503"], RUNS[2]: ["", "cut"], RUNS[4]: ["slow"]}
    status, told = reg("hrrr", str(tmp_path / "raw"), *RANGE)
    assert (status, told["failed"]) == (0, [])
    for name, data in FILES.items():
        assert (tmp_path / "raw" / name).read_bytes() == data


def test_trouble_that_stays_is_named_and_the_rest_is_there(
    workspace: Path,
    server: HttpArchive,
    reg: Reg,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching.time, "sleep", lambda _seconds: None)
    point(workspace, "hrrr", BUCKET, server.root)
    server.trouble = {RUNS[0]: ["cut"] * 99}
    status, told = reg("hrrr", str(tmp_path / "raw"), *RANGE)
    assert (status, told["error"]["code"]) == (7, "REG-735")
    assert RUNS[0] in told["error"]["message"]
    assert not (tmp_path / "raw" / RUNS[0]).exists()
    assert (tmp_path / "raw" / RUNS[1]).read_bytes() == FILES[RUNS[1]]


def test_the_bucket_itself_on_s3(workspace: Path, reg: Reg, tmp_path: Path) -> None:
    files = {name: data for name, data in FILES.items() if "t22z" in name}
    with s3_archive("noaa-hrrr-bdp-pds", files) as options:
        point(workspace, "hrrr", BUCKET, BUCKET, options)
        status, told = reg("hrrr", str(tmp_path / "raw"), *RANGE)
    assert status == 0, told
    assert sorted(told["fetched"]) == sorted(files)
    assert told["missing"] == [name for name in RUNS if "t23z" in name]
    assert (tmp_path / "raw" / RUNS[0]).read_bytes() == FILES[RUNS[0]]


JUNE = ("--start", "2019-06-01", "--end", "2019-06-02")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (("--source", "vil", *JUNE), ["vil/2019/SEVIR_VIL_A.h5"]),
        (("--source", "vil"), ["vil/2019/SEVIR_VIL_A.h5", "vil/2019/SEVIR_VIL_B.h5"]),
        (("--source", "all", *JUNE), ["ir069/2019/SEVIR_IR069_A.h5", "vil/2019/SEVIR_VIL_A.h5"]),
    ],
)
def test_files_of_sevir_are_those_with_events_of_the_dates(
    workspace: Path,
    server: HttpArchive,
    reg: Reg,
    tmp_path: Path,
    more: tuple[str, ...],
    expected: list[str],
) -> None:
    point(workspace, "sevir", "s3://sevir", server.root)
    server.files = {"CATALOG.csv": CATALOGUE.encode()}
    server.files |= {f"data/{row.split(',')[1]}": b"h5" for row in CATALOGUE.splitlines()[1:]}
    status, told = reg("sevir", str(tmp_path / "raw"), *more)
    assert status == 0, told
    assert told["fetched"] == [f"data/{name}" for name in expected]
    assert told["there"] == ["CATALOG.csv"]


def test_a_station_is_fetched_by_its_id(
    workspace: Path, server: HttpArchive, reg: Reg, tmp_path: Path
) -> None:
    place = "https://www.ncei.noaa.gov/pub/data/ghcn/daily"
    point(workspace, "ghcn", place, server.root)
    names = ["ghcnd-stations.txt", "all/USC00305816.dly"]
    server.files = dict.fromkeys(names, b"rows")
    status, told = reg("ghcn", str(tmp_path), "--parameter", "station=USC00305816")
    assert (status, told["fetched"]) == (0, names)


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (("hrrr", "raw"), 2, "--start 2023-06-01"),
        (("hrrr", "raw", "--start", "2023-06-02"), 2, None),
        (("hrrr", "raw", "--start", "2023-06-02", "--end", "2023-06-01"), 2, None),
        (("hrrr", "raw", "--source", "sfx", *RANGE), 3, None),
        (("hrrr", "raw", "--source", "hrrrzarr_sfc", *RANGE), 4, "sfc, prs"),
        (("eobs", "raw", *RANGE), 4, "reg data prepare"),
        (("ghcn", "raw", "--parameter", "stations=x"), 3, None),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_the_way_out(
    reg: Reg, words: tuple[str, ...], status: int, hint: str | None
) -> None:
    code, told = reg(*words)
    assert code == status
    if hint:
        assert hint in told["error"]["hint"]
