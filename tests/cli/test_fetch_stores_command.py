"""Ranges of remote Zarr stores, in the layouts and under the names of the public archives."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import pytest
import xarray as xr
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from archive_servers import HttpArchive, s3_archive

from wxreg.cli.main import run
from wxreg.data import patience
from wxreg.data.stores import open_store

ROOT = Path(__file__).resolve().parents[2]
ERA5 = "ar/full_37-1h-0p25deg-chunk-1.zarr-v3"
CONUS404 = "conus404/conus404_hourly.zarr"
RUN = "CMIP6/CMIP/NCAR/CESM2/historical/r1i1p1f1/day/tasmax/gn/v20190308"
HOURS = ("--start", "2021-07-01T02:00", "--end", "2021-07-01T10:00")
DAYS = ("--start", "2001-02-27", "--end", "2001-03-04")
MEMBER = ("--parameter", "source_id=CESM2", "--parameter", "member_id=r1i1p1f1")
SPLITS = """train: [{{start: "{0}", end: "{1}"}}]
validation: [{{start: "{1}", end: "{2}"}}]
test: [{{start: "{2}", end: "{3}"}}]
buffer: 0h
"""
DVC = "[core]\n    remote = here\n    analytics = false\n['remote \"here\"']\n    url = ../remote\n"


def era5(path: Path) -> xr.DataArray:
    """Ten hours of data in a store whose axis goes on for two more."""
    times = np.datetime64("2021-07-01", "ns") + np.arange(12) * np.timedelta64(1, "h")
    lat, lon = 90 - 0.25 * np.arange(721), 0.25 * np.arange(1440)
    values = 280 + np.arange(12)[:, None, None] + lat[:, None] / 10 + np.zeros(1440)
    made = xr.Dataset(
        {"2m_temperature": (("time", "latitude", "longitude"), values.astype("f4"))},
        {"time": times, "latitude": lat, "longitude": lon},
        {"valid_time_start": "2021-07-01", "valid_time_stop": "2021-07-01T09:00"},
    )
    written(made, path, {"2m_temperature": {"chunks": (1, 721, 1440)}})
    return made["2m_temperature"]


def conus404(path: Path) -> xr.DataArray:
    """Twelve hours in blocks of four, cut in space too."""
    times = np.datetime64("2021-07-01", "ns") + np.arange(12) * np.timedelta64(1, "h")
    y, x = (np.arange(n) - (n - 1) / 2 for n in (1015, 1367))
    values = 280 + np.arange(12)[:, None, None] + y[:, None] / 100 + x / 1000
    grid = yaml.safe_load((ROOT / "catalog" / "conus404.yaml").read_text())["metadata"]["reg"][
        "grid"
    ]
    planes = np.meshgrid(x * 4000, y * 4000)
    lon, lat = pyproj.Proj(grid["crs"])(*planes, inverse=True)
    made = xr.Dataset(
        {"T2": (("time", "y", "x"), values.astype("f4"), {"grid_mapping": "crs"}),
         "crs": ((), 0)},
        {"time": times, "y": y * 4000, "x": x * 4000,
         "lat": (("y", "x"), lat), "lon": (("y", "x"), lon)},
    )  # fmt: skip
    written(made, path, {"T2": {"chunks": (4, 350, 350)}})
    return made["T2"]


def cmip6(path: Path) -> xr.DataArray:
    """Eight days around the end of February in a calendar without leap days."""
    values = 290 + np.arange(8)[:, None, None] + np.zeros((6, 8))
    lat, lon = 35.0 + np.arange(6), 250.0 + np.arange(8)
    made = xr.Dataset(
        {"tasmax": (("time", "lat", "lon"), values.astype("f4"))},
        {"time": np.arange(8) + 420.0, "lat": lat, "lon": lon},
        {"license": "CC BY 4.0"},
    )
    made.time.attrs = {"units": "days since 2000-01-01", "calendar": "noleap"}
    written(made, path, {"tasmax": {"chunks": (2, 6, 8)}})
    return made["tasmax"]


def written(made: xr.Dataset, path: Path, encoding: dict[str, Any]) -> None:
    made.to_zarr(path, zarr_format=2, consolidated=True, encoding=encoding)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, xr.DataArray]]:
    """The three stores under their names in the buckets."""
    root = tmp_path_factory.mktemp("archives")
    makers = {"era5": (era5, ERA5), "conus404": (conus404, CONUS404), "cmip6": (cmip6, RUN)}
    return root, {name: make(root / place) for name, (make, place) in makers.items()}


@pytest.fixture
def server(
    archives: tuple[Path, dict[str, xr.DataArray]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[HttpArchive]:
    monkeypatch.setattr(patience, "WAIT", 0.01)
    root, made = archives[0], HttpArchive()
    made.files = {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    row = {"activity_id": "CMIP", "institution_id": "NCAR", "source_id": "CESM2",
               "experiment_id": "historical", "member_id": "r1i1p1f1", "table_id": "day",
               "variable_id": "tasmax", "grid_label": "gn", "zstore": f"{made.root}/{RUN}/",
               "dcpp_init_year": "", "version": "20190308"}  # fmt: skip
    rows = pd.DataFrame([row, row | {"source_id": "KACE-1-0-G", "zstore": "gs://cmip6/x/"}])
    made.files["pangeo-cmip6.csv"] = rows.to_csv(index=False).encode()
    yield made
    made.close()


PLACES = {
    "era5": ("arco", ERA5),
    "conus404": ("hourly", CONUS404),
    "cmip6": ("pangeo", "pangeo-cmip6.csv"),
}


@pytest.fixture
def workspace(tmp_path: Path, server: HttpArchive) -> Path:
    """The catalog of this repository; its public stores lie on the server."""
    root = tmp_path / "work space"
    shutil.copytree(ROOT / "catalog", root / "catalog")
    (root / "registry").mkdir()
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(DVC)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for dataset, (source, place) in PLACES.items():
        point(root, dataset, source, f"{server.root}/{place}", {})
    return root


def point(root: Path, dataset: str, source: str, place: str, storage: dict[str, Any]) -> None:
    path = root / "catalog" / f"{dataset}.yaml"
    body = yaml.safe_load(path.read_text())
    body["sources"][source]["args"] |= {"urlpath": place, "storage_options": storage}
    path.write_text(yaml.safe_dump(body, sort_keys=False))


Reg = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def reg(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Reg:
    def call(*words: str) -> tuple[int, dict[str, Any]]:
        with pytest.raises(SystemExit) as ended:
            run(["--workspace", str(workspace), "--json", "data", *words])
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def splits(tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    def write(dataset: str) -> tuple[str, str]:
        day = "2001-02-{}" if dataset == "cmip6" else "2021-07-01T{}:00"
        parts = ("27", "28") if dataset == "cmip6" else ("02", "05")
        ends = ("2001-03-01", "2001-03-04") if dataset == "cmip6" else (
            "2021-07-01T07:00", "2021-07-01T10:00")  # fmt: skip
        path = tmp_path / f"{dataset}.yaml"
        path.write_text(SPLITS.format(*(day.format(one) for one in parts), *ends))
        return "--splits", str(path)

    return write


CASES = [
    # dataset, its variable, times, more options, a chunk that is gone, the times that go with it
    ("era5", "t2m", HOURS, (), f"{ERA5}/2m_temperature/5.0.0", [5]),
    ("conus404", "t2m", HOURS, (), f"{CONUS404}/T2/1.{{}}.{{}}", [4, 5, 6, 7]),
    ("cmip6", "tmax_day", DAYS, MEMBER, f"{RUN}/tasmax/1.0.0", [2, 3]),
]
PLACE = re.compile(r"/(lat|latitude|longitude)/0(\.0)?$")
"""Coordinates have trouble too."""
REGION = ("--region", "37,-103,39,-99")


def chunks(server: HttpArchive, pattern: str) -> list[str]:
    head = pattern.partition("{")[0]
    return [name for name in server.files if name.startswith(head)]


@pytest.mark.parametrize(("dataset", "variable", "times", "more", "gone", "lost"), CASES)
def test_a_range_is_fetched_through_trouble_and_prepared_like_the_remote_store(
    server: HttpArchive,
    reg: Reg,
    splits: Callable[[str], tuple[str, str]],
    archives: tuple[Path, dict[str, xr.DataArray]],
    tmp_path: Path,
    dataset: str,
    variable: str,
    times: tuple[str, ...],
    more: tuple[str, ...],
    gone: str,
    lost: list[int],
) -> None:
    removed = chunks(server, gone)
    for name in removed:
        del server.files[name]
    held = sorted(name for name in server.files if "/2" in name[-8:] or "/1." in name[-8:])[-3:]
    trouble = dict(zip(held, (["503"], ["cut"], ["down", "down"]), strict=False))
    trouble |= {name: ["cut"] for name in server.files if PLACE.search(name)}
    server.trouble = copy.deepcopy(trouble)
    raw = tmp_path / "raw"
    chosen = (*times, "--variable", variable)
    status, told = reg("fetch", dataset, str(raw), *chosen, *more)
    assert status == 0, told
    above = {"era5": "ar/", "conus404": "conus404/", "cmip6": ""}[dataset]
    assert sorted(above + name for name in told["missing"]) == sorted(removed)
    for name in told["fetched"]:
        assert (raw / name).read_bytes() == server.files[above + name]
    before = [name for name in told["fetched"] if "temperature/0.0.0" in name]
    assert not before, "hours before the range stay where they are"

    part = (*chosen, *splits(dataset), "--workers", "1", *REGION)
    local = ("--source", "fetched", "--parameter", f"folder={raw}")
    status, near = reg("prepare", dataset, "--version", "near", *local, *part)
    assert status == 0, near
    server.trouble = copy.deepcopy(trouble)
    remote = ("--source", PLACES[dataset][0], *more)
    status, far = reg("prepare", dataset, "--version", "far", *remote, *part)
    assert status == 0, far

    one, two = open_store(Path(near["path"])), open_store(Path(far["path"]))
    np.testing.assert_array_equal(one[variable], two[variable])
    inside = (one.lat >= 37) & (one.lat <= 39) & (one.lon % 360 >= 257) & (one.lon % 360 <= 261)
    assert bool(inside.any("x").all() & inside.any("y").all()), "no row or column too many"
    truth = archives[1][dataset]
    first = 2
    for number, field in enumerate(one[variable].values, first):
        assert np.isnan(field).all() == (number in lost)
        if number not in lost:
            assert abs(float(field.mean()) - float(truth[number].mean())) < 10
    flags = one["quality_flag"].values[:, 0]
    assert np.flatnonzero(flags).tolist() == [number - first for number in lost]


def test_a_chunk_cut_short_in_the_archive_is_named_with_its_time(
    server: HttpArchive, reg: Reg, splits: Callable[[str], tuple[str, str]]
) -> None:
    name = f"{ERA5}/2m_temperature/6.0.0"
    server.files[name] = server.files[name][:100]
    made = ("--version", "far", "--source", "arco", *HOURS, "--variable", "t2m", *REGION)
    status, told = reg("prepare", "era5", *made, *splits("era5"), "--workers", "1")
    assert (status, told["error"]["code"]) == (5, "REG-530")
    assert "2021-07-01T06:00" in told["error"]["message"]


def test_a_server_that_stays_away_is_named_and_nothing_counts_as_missing(
    server: HttpArchive, reg: Reg, splits: Callable[[str], tuple[str, str]]
) -> None:
    server.trouble = {f"{ERA5}/2m_temperature/6.0.0": ["down"] * 999}
    made = ("--version", "far", "--source", "arco", *HOURS, "--variable", "t2m", *REGION)
    status, told = reg("prepare", "era5", *made, *splits("era5"), "--workers", "1")
    assert (status, told["error"]["code"]) == (7, "REG-730")
    assert "503" in told["error"]["message"]


def test_the_bucket_itself_on_s3(
    workspace: Path, server: HttpArchive, reg: Reg, tmp_path: Path
) -> None:
    inside = {n.removeprefix("conus404/"): d for n, d in server.files.items() if "conus404" in n}
    kept = {f"conus404/{name}": data for name, data in inside.items()}
    with s3_archive("hytest", kept) as options:
        point(workspace, "conus404", "hourly", f"s3://hytest/{CONUS404}", options)
        status, told = reg("fetch", "conus404", str(tmp_path / "raw"), *HOURS, "--variable", "t2m")
    assert status == 0, told
    first = f"{Path(CONUS404).name}/T2/0.0.0"
    assert (tmp_path / "raw" / first).read_bytes() == inside[first]
    assert told["missing"] == []


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (("era5", "raw"), 2, "--start"),
        (("era5", "raw", *HOURS, "--variable", "t2n"), 4, None),
        (
            ("era5", "raw", "--start", "1990-01-01", "--end", "1990-01-02", "--variable", "t2m"),
            3,
            "2021-07-01T00:00 to",
        ),
        (("cmip6", "raw", *DAYS), 2, "--variable"),
        (("cmip6", "raw", *DAYS, "--variable", "tmax_day"), 2, "source_id"),
        (("hrrr", "raw", *HOURS, "--variable", "t2m"), 2, None),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_the_way_out(
    reg: Reg, words: tuple[str, ...], status: int, hint: str | None
) -> None:
    code, told = reg("fetch", *words)
    assert code == status, told
    if hint:
        assert hint in told["error"]["hint"]
