"""Station reports as the truth of an evaluation, from GHCN's own files to scores."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from wxreg.artifacts.digests import tree_digest
from wxreg.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
DAYS, SHAPE, PLACES = 60, (6, 8), ((1, 2), (4, 6), (5, 0))
SPLITS = """train: [{start: "2023-01-01", end: "2023-02-01"}]
validation: [{start: "2023-02-01", end: "2023-02-05"}]
test: [{start: "2023-02-05", end: "2023-03-01"}]
buffer: 0h
"""
CATALOG = """metadata:
  reg:
    spec: 1
    id: beta
    title: Days of a small country
    producer: a test
    licence: {id: CC-BY-4.0, name: Creative Commons Attribution 4.0, commercial: true}
    citation: [nobody]
    grid: {crs: latlon, shape: [6, 8], spacing: [1.0, 1.0], origin: [40.0, 5.0], units: degree}
    time: {cadence: 24h}
    variables:
      - {id: precip_day, units: mm day-1, zarr: {name: PR}}
      - {id: tmax_day, units: K, zarr: {name: TX}}
"""
MODEL = """spec: 1
id: days
title: The day before
summary: The last day, unchanged.
task: forecast
architecture: {name: persistence}
inputs: {dataset: beta, variables: [precip_day, tmax_day]}
targets: {dataset: beta, variables: [precip_day, tmax_day]}
lead: {step: 24h, mode: direct, trained: 24h, allowed: 24h..48h/24h}
training: {kind: none}
evaluation: {protocol: downscaling-climate}
licence: {id: Apache-2.0, name: Apache License 2.0, commercial: true}
resources: {parameters: 0, train_gib: 0.5, sample_gib: 0.5}
scales: {mini: {versions: {beta: tiny}}}
"""
VERSION = """spec: 1
id: beta@tiny
title: Two months
layout: cf-zarr
content: "{content}"
files: {files}
bytes: {bytes}
time: {{cadence: 24h}}
splits:
  train: [{{start: "2023-01-01", end: "2023-02-01"}}]
  validation: [{{start: "2023-02-01", end: "2023-02-05"}}]
  test: [{{start: "2023-02-05", end: "2023-03-01"}}]
  buffer: 0h
variables: [precip_day, tmax_day]
"""
DVC = "[core]\n    remote = here\n    analytics = false\n['remote \"here\"']\n    url = ../remote\n"


def weather() -> xr.Dataset:
    draw = np.random.default_rng(0)
    time = np.datetime64("2023-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")
    lat, lon = 40.0 + np.arange(SHAPE[0]), 5.0 + np.arange(SHAPE[1])
    rain = draw.gamma(0.5, 8, (DAYS, *SHAPE)).astype("f4")
    warm = (280 + draw.normal(0, 4, (DAYS, *SHAPE))).astype("f4")
    data = {"PR": (("time", "lat", "lon"), rain), "TX": (("time", "lat", "lon"), warm)}
    return xr.Dataset(data, {"time": time, "lat": lat, "lon": lon})


def write_stations(folder: Path, made: xr.Dataset) -> None:
    """The weather of three cells as fixed-width files; stations stand near the cells' centres."""
    (folder / "all").mkdir(parents=True)
    listed = []
    for number, (row, column) in enumerate(PLACES):
        name = f"USC0000000{number}"
        lat, lon = float(made.lat[row]) + 0.2, float(made.lon[column]) - 0.3
        listed.append(f"{name} {lat:8.4f} {lon:9.4f}  400.0    STATION {number}")
        lines = []
        for element, array, zero in (("PRCP", "PR", 0.0), ("TMAX", "TX", 273.15)):
            series = made[array][:, row, column].to_series()
            for month, values in series.groupby(pd.Grouper(freq="MS")):
                tenths = [-9999] * 31
                for time, value in values.items():
                    tenths[time.day - 1] = round((value - zero) * 10)
                fields = "".join(f"{one:5d}   " for one in tenths)
                lines.append(f"{name}{month:%Y%m}{element}{fields}")
        (folder / "all" / f"{name}.dly").write_text("\n".join(lines) + "\n")
    (folder / "ghcnd-stations.txt").write_text("\n".join(listed) + "\n")


Reg = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def reg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reg:
    root, made = tmp_path / "work space", weather()
    shutil.copytree(ROOT / "catalog", root / "catalog")
    shutil.copytree(ROOT / "registry" / "protocols", root / "registry" / "protocols")
    climate = root / "registry" / "protocols" / "downscaling-climate.yaml"
    climate.write_text(
        climate.read_text().replace("samples: 500", "samples: 20").replace("[bilinear]", "[]")
    )
    (root / "registry" / "models").mkdir()
    (root / "registry" / "models" / "days.yaml").write_text(MODEL)
    store = root / "data" / "beta" / "tiny" / "beta.zarr"
    made.to_zarr(store, zarr_format=2, consolidated=True)
    found = tree_digest(store.parent)
    (root / "catalog" / "beta.yaml").write_text(CATALOG)
    (root / "catalog" / "beta" / "versions").mkdir(parents=True)
    (root / "catalog" / "beta" / "versions" / "tiny.yaml").write_text(
        VERSION.format(
            content=found.digest,
            files=len(found.files),
            bytes=sum(one.bytes for one in found.files),
        )
    )
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(DVC)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    write_stations(tmp_path / "ghcn", made)
    (tmp_path / "splits.yaml").write_text(SPLITS)

    def call(*words: str) -> tuple[int, dict[str, Any]]:
        with pytest.raises(SystemExit) as ended:
            run(["--workspace", str(root), "--json", *words])
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return call


def stations(reg: Reg, folder: Path, name: str = "stations") -> tuple[int, dict[str, Any]]:
    return reg(
        "data", "prepare", "ghcn", "--version", name, "--source", "local",
        "--parameter", f"folder={folder / 'ghcn'}", "--start", "2023-01-01", "--end", "2023-03-01",
        "--variable", "precip_day", "--variable", "tmax_day", "--workers", "1",
        "--splits", str(folder / "splits.yaml"),
    )  # fmt: skip


def evaluated(reg: Reg, what: str, protocol: str, against: str) -> tuple[int, dict[str, Any]]:
    return reg("evaluate", what, "--no-figures", "--protocol", protocol, "--against", against)


def test_a_gridded_forecast_is_compared_with_stations_without_pairing_days(
    reg: Reg, tmp_path: Path
) -> None:
    assert stations(reg, tmp_path)[0] == 0
    status, told = evaluated(reg, "days", "downscaling-climate", "ghcn@stations")
    assert status == 0, told
    rows = {
        (row["metric"], row["variable"]): row["value"]
        for row in told["scores"]
        if row.get("baseline") is None
    }
    made = weather()
    inside = np.array([made.PR.values[:, row, column] for row, column in PLACES])
    truth = np.round(inside[:, 35:59], 1)
    shown = inside[:, 35:58]  # each test day but the last is the forecast of the next
    wet = rows["wet_day_frequency", "precip_day"]
    assert wet == pytest.approx((shown >= 1).mean(), abs=1e-6)
    error = rows["wet_day_error", "precip_day"]
    assert error == pytest.approx((shown >= 1).mean() - (truth >= 1).mean(), abs=1e-6)
    most = rows["rx1day_error", "precip_day"]
    assert most == pytest.approx(shown.max(1).mean() - truth.max(1).mean(), abs=1e-3)

    made_here = str(tmp_path / "work space" / told["forecast"]["path"])
    status, refused = evaluated(reg, made_here, "downscaling-bench", "ghcn@stations")
    assert (status, refused["error"]["code"]) == (4, "REG-465")
    assert "the truth 3 stations" in refused["error"]["message"]
    (tmp_path / "ghcn" / "ghcnd-stations.txt").unlink()
    assert stations(reg, tmp_path, "nowhere")[0] == 0
    status, refused = evaluated(reg, made_here, "downscaling-climate", "ghcn@nowhere")
    assert (status, refused["error"]["code"]) == (4, "REG-465")
    assert "ghcnd-stations.txt" in refused["error"]["message"]


@pytest.mark.parametrize(
    ("line", "code"), [("USC00000009   41.0000    7.0000", "REG-335"), ("USC00000000 north", None)]
)
def test_a_list_without_the_station_or_its_place_is_refused(
    reg: Reg, tmp_path: Path, line: str, code: str | None
) -> None:
    (tmp_path / "ghcn" / "ghcnd-stations.txt").write_text(line + "\n")
    status, told = stations(reg, tmp_path)
    assert (status, told["error"]["code"]) == (3, code) if code else (5, "REG-536")
