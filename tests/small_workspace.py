"""A workspace of two datasets and two models, small enough to read, for tests to break."""

from __future__ import annotations

import shutil
from pathlib import Path

LEXICON = """spec: 1
variables:
  - {id: t2m, long_name: Temperature at 2 m, units: K}
  - {id: refc, long_name: Composite reflectivity, units: dBZ}
  - {id: u10, long_name: Eastward wind, units: m s-1, vector: x, partner: v10}
  - {id: v10, long_name: Northward wind, units: m s-1, vector: y, partner: u10}
"""
CATALOG = """metadata:
  reg:
    spec: 1
    id: {id}
    title: A dataset
    producer: a laboratory
    licence: {{id: CC-BY-4.0, name: Creative Commons Attribution 4.0, commercial: true}}
    citation: [nobody]
    grid: {{crs: latlon, shape: [8, 8], spacing: [1.0, 1.0], origin: [40.0, -100.0], units: degree}}
    time: {{cadence: {cadence}}}
    variables:
      - {{id: t2m, units: degC, zarr: {{name: T2}}}}
      - {{id: refc, units: dBZ, zarr: {{name: REFC}}}}
sources:
  local:
    driver: wxreg.drivers.CFZarr
    description: here
    args: {{urlpath: data}}
    metadata: {{layout: cf-zarr, access: local}}
"""
VERSION = """spec: 1
id: {id}@{version}
title: A version
layout: cf-zarr
content: "{content}"
files: 1
bytes: 10
time: {{cadence: {cadence}}}
splits:
  train: [{{start: "2023-01-01", end: "2023-01-10"}}]
  validation: [{{start: "2023-01-11", end: "2023-01-15"}}]
  test: [{{start: "2023-01-16", end: "2023-01-20"}}]
  buffer: 24h
variables: [t2m, refc]
"""
STATISTICS = """spec: 1
id: native
dataset: {id}@{version}
source_digest: "{content}"
window: [{{start: "2023-01-01", end: "2023-01-10"}}]
channels:
  t2m:
    values: {{count: 10, mean: 280.0, std: 5.0, minimum: 250.0, maximum: 310.0}}
    tendencies: {{1h: {{count: 9, mean: 0.0, std: 1.0, minimum: -3.0, maximum: 3.0}}}}
  refc:
    values: {{count: 10, mean: 0.0, std: 8.0, minimum: -10.0, maximum: 60.0}}
    tendencies: {{1h: {{count: 9, mean: 0.0, std: 6.0, minimum: -50.0, maximum: 50.0}}}}
"""
MODEL = """spec: 1
id: {id}
title: A model
summary: It forecasts.
task: forecast
architecture: {{name: unet, settings: {{base: 8, depth: 2}}}}
inputs: {{dataset: alpha, variables: [t2m, refc]}}
targets: {{dataset: alpha, variables: [t2m, refc]}}
lead: {{step: 1h, mode: rollout, trained: 1h, allowed: 1h..6h/1h}}
training: {{steps: 10, batch: 4}}
evaluation: {{protocol: simple}}
licence: {{id: Apache-2.0, name: Apache License 2.0, commercial: true}}
resources: {{parameters: 1000, train_gib: 1, sample_gib: 1}}
scales:
  mini:
    versions: {{alpha: one}}
  full: {{}}
"""
CHILD = """spec: 1
id: child-v1
base: parent-v1
title: A model that continues another
summary: It trains longer.
training: {steps: 20}
scales:
  mini:
    training: {batch: 2}
"""
PROTOCOL = """spec: 1
id: simple
title: Simple
variables: [t2m, refc]
metrics:
  - {id: rmse}
thresholds:
  - {variable: refc, values: [20, 35], units: dBZ}
"""
CONTENT = {"one": "1" * 64, "two": "2" * 64}


def make_workspace(root: Path) -> Path:
    """Write the workspace into ``root`` and return it."""
    shutil.rmtree(root, ignore_errors=True)
    files = {
        "catalog/lexicon.yaml": LEXICON,
        "catalog/alpha.yaml": CATALOG.format(id="alpha", cadence="1h"),
        "catalog/beta.yaml": CATALOG.format(id="beta", cadence="3h"),
        "registry/models/parent-v1.yaml": MODEL.format(id="parent-v1"),
        "registry/models/child-v1.yaml": CHILD,
        "registry/protocols/simple.yaml": PROTOCOL,
    }
    for version, content in CONTENT.items():
        values = {"id": "alpha", "version": version, "content": content, "cadence": "1h"}
        files[f"catalog/alpha/versions/{version}.yaml"] = VERSION.format(**values)
        files[f"catalog/stats/alpha/{version}/native.yaml"] = STATISTICS.format(**values)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
