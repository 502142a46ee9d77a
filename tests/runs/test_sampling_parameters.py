"""The parameters of a head: kept beside the members, covered by the index, and scored."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from tiny_world import World

from wxreg.artifacts.digests import field_digest
from wxreg.data.forecast_files import open_forecast
from wxreg.data.forecast_index import read_index

HEADED = """spec: 1
id: headed-v1
title: A tiny downscaler that knows its spread
summary: It sharpens nothing, on one grid.
task: downscale
architecture:
  name: downscaling-unet
  settings: {base: 4, levels: 1, heteroscedastic: true, aleatoric: true}
inputs: {dataset: alpha, variables: [t2m, refc]}
targets: {dataset: alpha, variables: [t2m, refc]}
training:
  loss: [{name: gaussian-nll}]
  optimiser: {rate: 0.003}
  schedule: {name: cosine, warmup: 2}
  steps: 4
  batch: 4
  validate_every: 4
  validation_batches: 1
sampling: {strategy: generative, members: 3, member_batch: 2, parameters: true}
evaluation: {protocol: simple}
licence: {id: Apache-2.0, name: Apache License 2.0, commercial: true}
resources: {parameters: 1, train_gib: 1, sample_gib: 1}
scales:
  mini:
    versions: {alpha: tiny}
"""
PROTOCOL = """spec: 1
id: heads
title: Likelihoods
variables: [t2m]
metrics: [{id: loglik_parametric}, {id: loglik}]
"""
pytestmark = pytest.mark.slow
NAMES = ("refc", "t2m")
PARAMETERS = {f"{name}_head_{part}" for name in NAMES for part in ("mean", "std")}


@dataclass(frozen=True)
class Headed:
    """A world with a trained head, and its forecast."""

    world: World
    forecast: Path
    said: dict[str, Any]


@pytest.fixture(scope="module")
def headed(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> Headed:
    root = tmp_path_factory.mktemp("headed") / "world"
    world = World(shutil.copytree(made_world.root, root))
    (root / "registry" / "models" / "headed-v1.yaml").write_text(HEADED)
    (root / "registry" / "protocols" / "heads.yaml").write_text(PROTOCOL)
    status, told = world.reg("train", "headed-v1")
    assert status == 0, told
    status, told = world.reg("sample", "headed-v1", "--out", "made.zarr")
    assert status == 0, told
    status, said = world.reg("evaluate", "made.zarr", "--protocol", "heads", cwd=root)
    assert status == 0, said
    return Headed(world, root / "made.zarr", said)


def test_parameters_stand_beside_the_members_and_in_the_index(headed: Headed) -> None:
    with open_forecast(headed.forecast) as made:
        assert set(map(str, made.data_vars)) == {*NAMES, *PARAMETERS}
        assert all(made[name].dims == made["t2m"].dims for name in PARAMETERS)
        assert made["t2m_head_std"].attrs["units"] == "K"
        assert float(made["t2m_head_std"].min()) > 0
        field = made["t2m_head_mean"].isel(init_time=0, lead_time=0, member=1).values
    index = {entry.place()[:4]: entry.digest for entry in read_index(headed.forecast)}
    assert {place[0] for place in index} == {*NAMES, *PARAMETERS}
    assert field_digest(field) in index.values()


def test_the_score_is_that_of_scipy_over_the_stored_parameters(headed: Headed) -> None:
    with (
        open_forecast(headed.forecast) as made,
        xr.open_zarr(headed.world.store, consolidated=False) as truth,
    ):
        real = truth["t2m"].sel(time=made["init_time"].values).values
        mean, spread = (made[f"t2m_head_{part}"].isel(lead_time=0).values.astype(float)
                        for part in ("mean", "std"))  # fmt: skip
    known = np.log(stats.norm.pdf(real[:, None], mean, spread).mean(1)).mean()
    found = {row["metric"]: row for row in headed.said["scores"] if row["baseline"] is None}
    assert found["loglik_parametric"]["value"] == pytest.approx(known, abs=1e-4)
    assert found["loglik"]["value"] is not None


def test_what_is_cut_short_or_has_no_head_is_told_with_everything_else(headed: Headed) -> None:
    """Before anything is read: no run is begun."""
    root = headed.world.root
    status, told = headed.world.reg(
        "sample", "headed-v1", "--set", "sampling.parameters=false", "--out", "plain.zarr"
    )
    assert status == 0, told
    shards = sorted(one for one in (root / "plain.zarr" / "t2m" / "c").rglob("*") if one.is_file())
    for shard in shards[:2]:
        with shard.open("r+b") as stream:
            stream.truncate(shard.stat().st_size // 2)
    shards[2].unlink()
    before = sorted((root / "runs").iterdir())
    status, told = headed.world.reg("evaluate", "plain.zarr", "--protocol", "heads", cwd=root)
    assert status == 4
    assert told["error"]["code"] == "REG-465"
    for reason in (
        "no head's parameters of t2m",
        "bytes were sealed",
        *(str(shard.relative_to(root / "plain.zarr")) for shard in shards[:2]),
    ):
        assert reason in told["error"]["message"], reason
    assert [one for one in (root / "runs").iterdir() if one not in before] == []
