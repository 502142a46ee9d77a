"""Members from the epochs of one training, and forecasts of large domains in tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from wxreg.data.batches import WindowBatch
from wxreg.errors import Incompatible
from wxreg.library.loading import Library
from wxreg.models.building import build
from wxreg.models.forecaster import Blueprint, Channel
from wxreg.models.noise import MemberNoise
from wxreg.models.tiling import TiledForecaster
from wxreg.models.views import crop
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Resolved, resolve
from wxreg.runs.finding import member_checkpoints
from wxreg.specs.plan import SamplePlan

LIBRARY = Library(Path(__file__).parents[2])
ROWS, COLUMNS, FACTOR = 64, 96, 4


def sample_plan(name: str, **more: object) -> SamplePlan:
    found = resolve(LIBRARY, Request(model=name, task="sample"))
    assert isinstance(found, Resolved) and isinstance(found.plan, SamplePlan)
    sampling = found.plan.sampling.model_copy(update=more)
    return found.plan.model_copy(update={"sampling": sampling})


def epochs(folder: Path, count: int) -> Path:
    for number in range(1, count + 1):
        (folder / f"epoch-{number}.safetensors").touch()
    return folder


def test_members_are_the_last_epochs_in_their_order(tmp_path: Path) -> None:
    plan = sample_plan("harpnet-e-conus404-v1")
    found = member_checkpoints(epochs(tmp_path, 11), plan)
    assert [path.stem for path in found] == [f"epoch-{n}" for n in (7, 8, 9, 10, 11)]


def test_more_members_than_checkpoints_are_refused(tmp_path: Path) -> None:
    plan = sample_plan("harpnet-e-conus404-v1")
    with pytest.raises(Incompatible, match="there are 3 checkpoints"):
        member_checkpoints(epochs(tmp_path, 3), plan)


def coarse_batch(slope: float) -> WindowBatch:
    """A field that rises from west to east, on a grid four times coarser than the targets."""
    rising = slope * torch.arange(COLUMNS // FACTOR).float().expand(ROWS // FACTOR, -1)
    inputs = rising[None, None, None] + 5.0
    lat = torch.zeros(ROWS, COLUMNS)
    return WindowBatch(
        inputs=inputs,
        input_mask=torch.ones_like(inputs, dtype=torch.bool),
        static=torch.zeros(1, 0, ROWS, COLUMNS),
        target=None,
        target_mask=None,
        lead_hours=torch.zeros(1, 1),
        time=torch.zeros(1, dtype=torch.float64),
        segment=torch.zeros(1, dtype=torch.int64),
        lat=lat,
        lon=lat,
        windows=torch.zeros(1, dtype=torch.int64),
    )


def interpolation() -> torch.nn.Module:
    rain = (Channel("precip_1h"),)
    shapes = {"input_shape": (ROWS // FACTOR, COLUMNS // FACTOR), "target_shape": (ROWS, COLUMNS)}
    return build(Blueprint("bilinear", {}, rain, (), rain, 1, 1, "0h", **shapes,  # type: ignore[arg-type]
                           statistics={}, losses=()))  # fmt: skip


@pytest.mark.parametrize(("slope", "tolerance"), [(0.0, 1e-6), (1.0, 0.5)])
def test_a_domain_in_tiles_is_the_domain_at_once(slope: float, tolerance: float) -> None:
    batch, forecaster = coarse_batch(slope), interpolation()
    noise = MemberNoise(0, [0.0], 1)
    tiled = TiledForecaster(forecaster, 32, 16).sample(batch, 1, noise)  # type: ignore[arg-type]
    whole = forecaster.sample(batch, 1, noise)  # type: ignore[operator]
    assert tiled.shape == whole.shape
    assert float((tiled - whole).abs().max()) <= tolerance


def test_tiles_must_hold_whole_input_cells() -> None:
    tiled = TiledForecaster(interpolation(), 30, 14)  # type: ignore[arg-type]
    with pytest.raises(Incompatible, match="do not divide into input cells"):
        tiled.sample(coarse_batch(0.0), 1, MemberNoise(0, [0.0], 1))


def test_coarse_inputs_are_cut_over_the_area_of_the_tile() -> None:
    batch = replace(coarse_batch(1.0), static=torch.ones(1, 2, ROWS, COLUMNS))
    tile = crop(batch, slice(16, 48), slice(32, 64))
    assert tile.inputs.shape[-2:] == (8, 8) and tile.static.shape[-2:] == (32, 32)
    assert float(tile.inputs[0, 0, 0, 0, 0]) == 5.0 + 8.0
