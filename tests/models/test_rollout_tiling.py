from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synthetic_weather as weather
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.errors import Incompatible, UsageError
from wxreg.models.building import build
from wxreg.models.forecaster import Channel
from wxreg.models.noise import MemberNoise
from wxreg.models.precision import deviation, stored_bytes, with_precision
from wxreg.models.rollout import roll_out
from wxreg.models.tiling import TiledForecaster, Tiling, blend_tiles
from wxreg.models.views import coarsen


def shaken(fields: np.ndarray, name: str, **changes: object) -> torch.nn.Module:
    """A model whose weights say something."""
    model = build(weather.blueprint(fields, name, **changes), seed=0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            generator = torch.Generator().manual_seed(parameter.numel())
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.03)
    return model


@torch.no_grad()
def test_two_steps_are_one_step_after_another(fields: np.ndarray) -> None:
    model = shaken(fields, "unet", settings={"base": 4})
    batch = weather.windows(fields).pick(slice(0, 2))
    noise = MemberNoise(0, [0.0, 1.0], 1)
    first, second = roll_out(model, batch, 1, noise, 2)
    by_hand = replace(
        batch,
        inputs=torch.stack([batch.inputs[:, 1], first[:, 0]], dim=1),
        time=batch.time + 3600,
    )
    assert torch.equal(first, model.sample(batch, 1, noise)[:, :, 0])
    assert torch.allclose(second, model.sample(by_hand, 1, noise)[:, :, 0])


@torch.no_grad()
def test_members_of_a_roll_out_keep_to_themselves(fields: np.ndarray) -> None:
    model = shaken(fields, "ddpm", settings={"base": 4, "mean_base": 4}, sampler={"steps": 2})
    batch = weather.windows(fields).pick(slice(0, 2))
    times = batch.time.tolist()
    together = list(roll_out(model, batch, 3, MemberNoise(1, times, 3), 3))
    alone = list(roll_out(model, batch, 1, MemberNoise(1, times, 1, 2), 3))
    for whole, part in zip(together, alone, strict=True):
        assert torch.allclose(whole[:, 2:], part, rtol=1e-4, atol=1e-2)
    assert float((together[2][:, 0] - together[2][:, 1]).abs().max()) > 0


@torch.no_grad()
def test_inputs_that_are_not_predicted_persist_only_when_declared(fields: np.ndarray) -> None:
    fewer = tuple(c for c in weather.CHANNELS if c != Channel("cape_sb"))
    model = shaken(fields, "unet", targets=fewer, settings={"base": 4})
    batch = weather.windows(fields).pick(slice(0, 1))
    noise = MemberNoise(0, [0.0], 1)
    with pytest.raises(Incompatible, match="cape_sb"):
        next(roll_out(model, batch, 1, noise, 2))
    steps = list(roll_out(model, batch, 1, noise, 2, persisted=["cape_sb"]))
    assert steps[1].shape == (1, 1, 8, 24, 28)


@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    size=st.integers(8, 32),
    overlap=st.integers(0, 16),
)
@settings(max_examples=60, deadline=None)
def test_blending_what_agrees_changes_nothing(
    rows: int, columns: int, size: int, overlap: int
) -> None:
    overlap = min(overlap, size // 2)
    field = torch.arange(rows * columns, dtype=torch.float32).reshape(1, rows, columns)
    tiling = Tiling((rows, columns), size, overlap)
    blended = blend_tiles(tiling, lambda r, c: field[..., r, c])
    assert torch.allclose(blended, field, rtol=1e-5)


def test_tiles_that_disagree_leave_no_seam() -> None:
    tiling = Tiling((16, 64), 16, 8)
    blended = blend_tiles(tiling, lambda r, c: torch.full((16, c.stop - c.start), c.start / 8.0))
    steps = blended.diff(dim=1).abs()
    assert float(steps.max()) <= 1 / 8 + 1e-6
    assert float(steps.max()) > 0


def test_an_overlap_beyond_half_a_tile_is_refused() -> None:
    with pytest.raises(UsageError, match="overlap"):
        Tiling((64, 64), 16, 9)


@torch.no_grad()
def test_tiles_agree_with_the_whole_grid_away_from_its_edges() -> None:
    fields = weather.world(4, size=(64, 64))
    model = shaken(fields, "unet", settings={"base": 4, "depth": 1})
    batch = weather.windows(fields).pick(slice(0, 1))

    noise = MemberNoise(0, [0.0], 1)
    whole, tiled = (
        one.sample(batch, 1, noise)[:, 0, 0] for one in (model, TiledForecaster(model, 48, 16))
    )
    scale = model.space.targets.std
    inside = ((whole - tiled) / scale)[..., 8:-8, 8:-8].abs()
    assert float(inside.max()) < 0.05


def test_a_coarser_view_keeps_means_and_looks_past_gaps(fields: np.ndarray) -> None:
    batch = weather.windows(fields).pick(slice(0, 2))
    coarse = coarsen(batch, 2)
    assert coarse.inputs.shape[-2:] == (12, 14)
    assert torch.allclose(coarse.inputs.mean((-2, -1)), batch.inputs.mean((-2, -1)), rtol=1e-4)
    mask = batch.input_mask.clone()
    mask[..., 0, 0] = False
    mask[..., 4:6, 4:6] = False
    spoiled = batch.inputs.masked_fill(~mask, 1e9)
    seen = coarsen(replace(batch, inputs=spoiled, input_mask=mask), 2)
    assert float(seen.inputs.abs().max()) < 1e4
    assert not bool(seen.input_mask[..., 2, 2].any())
    assert bool(seen.input_mask[..., 0, 0].all())


@torch.no_grad()
def test_smaller_numbers_move_a_forecast_little_and_measurably(fields: np.ndarray) -> None:
    model = shaken(fields, "unet", settings={"base": 8})
    batch = weather.windows(fields).pick(slice(0, 1))
    noise = MemberNoise(0, [0.0], 1)
    full = model.sample(batch, 1, noise)
    moved = {
        name: deviation(full, with_precision(model, name).sample(batch, 1, noise),
                        model.space.targets.std).root_mean_square
        for name in ("32", "16", "bf16", "int8")
    }  # fmt: skip
    assert moved["32"] == 0
    assert 0 < moved["16"] < moved["bf16"] < 0.05
    assert 0 < moved["int8"] < 0.05
    assert stored_bytes(model, "int8") * 4 == stored_bytes(model, "32")
