"""Sampling large domains tile by tile, so that memory does not grow with the domain."""

from __future__ import annotations

from collections.abc import Callable

import torch

from wxreg.data.batches import WindowBatch
from wxreg.errors import Incompatible
from wxreg.models.forecaster import Forecaster
from wxreg.models.noise import MemberNoise, TileNoise
from wxreg.models.tiling import Tiling, blend_tiles
from wxreg.models.views import crop
from wxreg.specs.plan import SamplePlan


def sample_in_tiles(
    forecaster: Forecaster,
    batch: WindowBatch,
    plan: SamplePlan,
    noise: Callable[[], MemberNoise],
) -> torch.Tensor:
    """The blended forecast ``(B, M, L, D, Y, X)``; each tile sees its cut of one noise field."""
    size, overlap = plan.sampling.tile or 0, plan.sampling.overlap
    rows, columns = batch.lat.shape[-2:]
    _check(plan, rows // batch.inputs.shape[-2])
    members = plan.sampling.member_batch

    def one(down: slice, across: slice) -> torch.Tensor:
        cut = TileNoise(noise(), (rows, columns), down, across)
        return forecaster.sample(crop(batch, down, across), members, cut)

    return blend_tiles(Tiling((rows, columns), size, overlap), one)


def _check(plan: SamplePlan, factor: int) -> None:
    """Tiles begin on whole input cells, and roll-outs need the whole domain at each step."""
    size, overlap = plan.sampling.tile or 0, plan.sampling.overlap
    if size % factor or overlap % factor:
        raise Incompatible(
            "REG-461",
            f"tiles of {size} cells that share {overlap} do not divide into input cells, "
            f"which are {factor} times larger",
            hint=f"make sampling.tile and sampling.overlap multiples of {factor}",
        )
    if plan.lead.mode == "rollout":
        raise Incompatible(
            "REG-461", "a roll-out cannot be made in tiles", hint="leave sampling.tile out"
        )
