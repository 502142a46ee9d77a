"""What a network is told besides the weather: the fixed fields, the sun's hour and the lead."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wxreg.models.forecaster import Batch, Blueprint
from wxreg.models.normalising import Normaliser

_HOUR = 3600.0
_LONGEST_HOURS = 48.0


class Conditioning(nn.Module):
    """Planes and scalars for each (sample, lead), leads laid out as extra samples."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.statics = Normaliser(blueprint.statics, blueprint.statistics)
        self.planes = blueprint.history * len(blueprint.inputs) + len(blueprint.statics) + 2
        self.scalars = 1

    def forward(self, batch: Batch, history: Tensor) -> tuple[Tensor, Tensor]:
        """``(B*L, planes, Y, X)`` and ``(B*L, 1)`` for the normalised ``history``."""
        leads = batch.lead_hours.shape[1]
        fixed = torch.cat([history.flatten(1, 2), self.statics.normalise(batch.static)], dim=1)
        repeated = fixed.repeat_interleave(leads, dim=0)
        planes = torch.cat([repeated, sun_planes(batch, fixed).flatten(0, 1)], dim=1)
        return planes, lead_scalar(batch.lead_hours).flatten(0, 1)


def lead_scalar(lead_hours: Tensor) -> Tensor:
    """The lead on a logarithmic scale from 0 to 1 at two days: ``(B, L, 1)``."""
    return (torch.log1p(lead_hours.clamp(min=0)) / math.log1p(_LONGEST_HOURS))[..., None]


def sun_planes(batch: Batch, like: Tensor) -> Tensor:
    """Sine and cosine of the local solar hour at the valid time: ``(B, L, 2, Y, X)``."""
    hours = torch.remainder(batch.time / _HOUR, 24.0).to(like.dtype)
    valid = hours[:, None, None, None] + batch.lead_hours[..., None, None].to(like.dtype)
    longitude = batch.lon if batch.lon.dim() == 3 else batch.lon[None]
    angle = (valid + longitude[:, None].to(like.dtype) / 15.0) * (2 * math.pi / 24.0)
    return torch.stack([angle.sin(), angle.cos()], dim=2)
