"""The space that downscaling learns in: what bilinear interpolation leaves over.

Fields are normalised with their transform, so precipitation differs on a logarithmic or
root scale and is never negative when it comes back.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wxreg.models.baselines.baseline import real_values, target_places
from wxreg.models.baselines.interpolation import grid_factor, interpolate_real
from wxreg.models.convolution_blocks import upsample
from wxreg.models.forecaster import Batch, Blueprint
from wxreg.models.losses.fields import Fields
from wxreg.models.normalising import Normaliser

_YEAR_SECONDS = 365.2425 * 86400.0


class DownscalingSpace(nn.Module):
    """Moves targets between physical values and departures from interpolation."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint = blueprint
        self.factor = grid_factor(blueprint)
        self.sources = target_places(blueprint)
        self.inputs = Normaliser(blueprint.inputs, blueprint.numbers_of_inputs)
        self.statics = Normaliser(blueprint.statics, blueprint.statistics)
        self.targets = Normaliser(blueprint.targets, blueprint.statistics)
        self.planes_count = blueprint.history * len(blueprint.inputs) + len(blueprint.statics) + 2

    def planes(self, batch: Batch) -> Tensor:
        """What a network is told ``(B, planes, Y, X)``: inputs, fixed fields and the season."""
        coarse = self.inputs.normalise(batch.inputs, batch.input_mask).flatten(1, 2)
        fine = upsample(coarse, self.factor)
        angle = (batch.time / _YEAR_SECONDS * (2 * math.pi)).to(fine)[:, None, None, None]
        season = torch.cat([angle.sin(), angle.cos()], dim=1).expand(-1, -1, *fine.shape[-2:])
        return torch.cat([fine, self.statics.normalise(batch.static), season], dim=1)

    def base(self, batch: Batch) -> Tensor:
        """The normalised interpolation of the newest coarse fields ``(B, D, Y, X)``."""
        return self.targets.normalise(interpolate_real(self.coarse(batch), self.factor))

    def coarse(self, batch: Batch) -> Tensor:
        """The newest coarse fields in target order ``(B, D, y, x)``, NaN where missing."""
        newest = batch.inputs[:, -1, self.sources]
        return real_values(newest, batch.input_mask[:, -1, self.sources])

    def encode(self, batch: Batch, base: Tensor) -> tuple[Tensor, Tensor]:
        """The departures ``(B, D, Y, X)`` that a batch's target holds, and where they are real."""
        if batch.target is None or batch.target_mask is None:
            raise ValueError("this batch has no target to learn from")
        mask = (batch.target_mask & torch.isfinite(batch.target))[:, 0]
        departures = self.targets.normalise(batch.target[:, 0], mask) - base
        return torch.where(mask, departures, 0.0), mask

    def decode(self, departures: Tensor, base: Tensor) -> Tensor:
        """Physical values of departures ``(..., D, Y, X)``."""
        return self.targets.invert(base + departures)

    def fields(
        self,
        batch: Batch,
        base: Tensor,
        predicted: Tensor,
        spread: Tensor | None = None,
        halo: int = 0,
        drawn: Callable[[], Tensor] | None = None,
    ) -> Fields:
        """A prediction beside its target for the losses; the halo is not scored."""
        target, mask = self.encode(batch, base)
        return Fields(
            predicted[:, None],
            target[:, None],
            inner(mask, halo)[:, None],
            self.blueprint.targets,
            lambda scaled: self.decode(scaled, base[:, None]),
            None if spread is None else spread[:, None],
            self.coarse(batch)[:, None],
            self.targets.physical_spread,
            None if drawn is None else lambda: drawn()[:, None],
        )


def inner(mask: Tensor, halo: int) -> Tensor:
    """The mask without ``halo`` cells along each edge."""
    if halo == 0:
        return mask
    cut = torch.zeros_like(mask)
    cut[..., halo:-halo, halo:-halo] = mask[..., halo:-halo, halo:-halo]
    return cut


def for_members(fields: Tensor, members: int) -> Tensor:
    """Rows ``(B, …)`` repeated to ``(B*M, …)``, init-major as noise rows are."""
    return fields.repeat_interleave(members, dim=0)
