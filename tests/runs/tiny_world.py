"""A workspace with real bytes, small enough to train in a second: 16 × 16 cells, 120 hours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from small_workspace import make_workspace
from wxreg.artifacts.digests import tree_digest
from wxreg.ids import DataRef
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Draft, resolve
from wxreg.runs.datasets.statistics import compute_statistics

REF = "alpha@tiny"
HOURS, SIDE = 120, 16
CATALOG = """metadata:
  reg:
    spec: 1
    id: alpha
    title: A small world
    producer: a test
    licence: {id: CC-BY-4.0, name: Creative Commons Attribution 4.0, commercial: true}
    citation: [nobody]
    grid: {crs: latlon, shape: [16, 16], spacing: [1.0, 1.0], origin: [35.0, 0.0], units: degree}
    time: {cadence: 1h}
    variables:
      - {id: t2m, units: K, zarr: {name: T2}}
      - {id: refc, units: dBZ, zarr: {name: REFC}}
      - {id: u10, units: m s-1, zarr: {name: U10}}
      - {id: v10, units: m s-1, zarr: {name: V10}}
sources:
  local:
    driver: wxreg.drivers.CFZarr
    description: here
    args: {urlpath: data}
    metadata: {layout: cf-zarr, access: local}
"""
VERSION = """spec: 1
id: alpha@tiny
title: Five days
layout: cf-zarr
content: "{content}"
files: {files}
bytes: {bytes}
time: {{cadence: 1h}}
splits:
  train: [{{start: "2023-01-01", end: "2023-01-04"}}]
  validation: [{{start: "2023-01-04T04:00", end: "2023-01-04T16:00"}}]
  test: [{{start: "2023-01-04T20:00", end: "2023-01-06"}}]
  buffer: 2h
variables: [t2m, refc, u10, v10]
"""
MODEL = """spec: 1
id: tiny-v1
title: A tiny model
summary: It forecasts one hour.
task: forecast
architecture: {name: unet, settings: {base: 4, depth: 1, widest: 2}}
inputs: {dataset: alpha, variables: [t2m, refc]}
targets: {dataset: alpha, variables: [t2m, refc]}
lead: {step: 1h, mode: rollout, trained: 1h, allowed: 1h..6h/1h}
training:
  optimiser: {rate: 0.003}
  schedule: {name: cosine, warmup: 2}
  steps: 12
  batch: 4
  ema: 0.9
  validate_every: 6
  validation_batches: 1
evaluation: {protocol: simple}
licence: {id: Apache-2.0, name: Apache License 2.0, commercial: true}
resources: {parameters: 1, train_gib: 1, sample_gib: 1}
scales:
  mini:
    versions: {alpha: tiny}
"""
NOISY = """spec: 1
id: noisy-v1
base: tiny-v1
title: A tiny diffusion ensemble
summary: It forecasts one hour, many times.
architecture:
  name: ddpm
  settings: {base: 4, mean_base: 4, depth: 1}
sampling: {strategy: generative, members: 3, member_batch: 2, sampler: {name: heun, steps: 2}}
scales:
  mini: {}
"""


def fields() -> xr.Dataset:
    """Waves that move eastwards: something to learn."""
    time = np.datetime64("2023-01-01T00:00", "ns") + np.arange(HOURS) * np.timedelta64(1, "h")
    lat, lon = 35.0 + np.arange(SIDE), np.arange(SIDE) * 1.0
    phase = 2 * np.pi * (lon[None, None, :] - np.arange(HOURS)[:, None, None]) / SIDE
    height = np.sin(2 * np.pi * lat / SIDE)[None, :, None]
    draw = np.random.default_rng(0)
    made = {
        "T2": 285 + 5 * np.sin(phase) + 3 * height,
        "REFC": 20 * np.cos(phase) * np.ones_like(height) + 10,
        "U10": 5 + 2 * np.cos(phase) + height,
        "V10": 3 * np.sin(2 * phase) - height,
    }
    return xr.Dataset(
        {
            name: (("time", "lat", "lon"), (v + draw.normal(0, 0.3, v.shape)).astype("f4"))
            for name, v in made.items()
        },
        {"time": time, "lat": ("lat", lat), "lon": ("lon", lon)},
    )


@dataclass(frozen=True)
class World:
    """The workspace, and how to act in it."""

    root: Path

    @property
    def library(self) -> Library:
        return Library(self.root)

    def ledger(self) -> Ledger:
        return Ledger.open(str(self.root / ".reg" / "ledger.db"))

    def plan(self, model: str = "tiny-v1", *sets: str, **more: Any) -> Any:
        pairs = tuple((one.partition("=")[0], one.partition("=")[2]) for one in sets)
        found = resolve(self.library, Request(model=model, overrides=pairs, **more))
        assert not isinstance(found, Draft)
        return found.plan

    def command(self, *words: str) -> list[str]:
        reg = str(Path(sys.executable).with_name("reg"))
        return [reg, "--workspace", str(self.root), "--json", *words]

    def reg(self, *words: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """The real command in its own process: its exit status and its one document."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, env=environment(), **more
        )
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError as error:
            raise AssertionError(f"no document:\n{done.stdout}\n{done.stderr}") from error

    @property
    def store(self) -> Path:
        """The prepared store."""
        return self.root / "data" / "prepared" / "alpha" / "tiny.zarr"

    def change_model(self, name: str = "tiny-v1", **parts: Any) -> None:
        """Lay parts over an entry's file."""
        path = self.root / "registry" / "models" / f"{name}.yaml"
        known = yaml.safe_load(path.read_text())
        for key, value in parts.items():
            known[key] = {**known.get(key, {}), **value} if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(known, sort_keys=False))


def environment() -> dict[str, str]:
    """One thread, so that processes on one machine compute the same bits."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def make_world(root: Path, data: xr.Dataset | None = None) -> World:
    """Write the bytes, describe them, and let our own code measure the statistics."""
    make_workspace(root)
    for name in ("catalog/beta.yaml", "catalog/stats", "catalog/alpha/versions"):
        _remove(root / name)
    for name in ("parent-v1", "child-v1"):
        _remove(root / "registry" / "models" / f"{name}.yaml")
    _write(root / "catalog" / "alpha.yaml", CATALOG)
    _write(root / "registry" / "models" / "tiny-v1.yaml", MODEL)
    _write(root / "registry" / "models" / "noisy-v1.yaml", NOISY)
    folder = root / "data" / "alpha" / "tiny"
    made = fields() if data is None else data
    made.to_zarr(folder / "alpha.zarr", zarr_format=3, consolidated=False)
    tree = tree_digest(folder)
    text = VERSION.format(content=tree.digest, files=len(tree.files), bytes=tree.bytes)
    _write(root / "catalog" / "alpha" / "versions" / "tiny.yaml", text)
    compute_statistics(Library(root), DataRef.parse(REF), "native", quantiles=False, workers=1)
    return World(root)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
