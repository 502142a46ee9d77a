"""`sr3-era5`: a conditional diffusion draws the fine field given the interpolated coarse one."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.downscaling_space import DownscalingSpace, for_members
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.residual_diffusion import ResidualDiffusion
from wxreg.models.settings import DiffusionSettings, SamplerSettings, parse_settings

DENOISING = "denoising"


class SuperResolutionDiffusion(Forecaster):
    """No regression: all that interpolation leaves is drawn by the diffusion."""

    semantics: ClassVar[int] = 2

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        where = blueprint.architecture
        settings = parse_settings(DiffusionSettings, blueprint.settings, where)
        sampler = parse_settings(SamplerSettings, blueprint.sampler, f"{where} sampler")
        self.settings = settings
        self.space = DownscalingSpace(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets, own=(DENOISING,))
        channels = len(blueprint.targets)
        told = self.space.planes_count + channels
        self.diffusion = ResidualDiffusion(told, channels, settings, sampler)

    def told(self, batch: Batch, base: Tensor) -> Tensor:
        """What the diffusion is conditioned on."""
        return torch.cat([self.space.planes(batch), base], dim=1)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """How well departures are denoised, and the declared terms of the denoised field."""
        base = self.space.base(batch)
        departures, mask = self.space.encode(batch, base)
        told = self.told(batch, base)
        denoising, found = self.diffusion.denoised(departures, mask, told, no_lead(told), generator)
        report: LossReport = self.losses(
            self.space.fields(batch, base, found), {DENOISING: denoising}
        )
        return report

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Each member is a draw from its own noise."""
        base = self.space.base(batch)
        told = for_members(self.told(batch, base), members)
        start = noise.normal((base.shape[1], *base.shape[-2:]), base)
        departures = self.diffusion.draw(start, told, no_lead(told))
        physical = self.space.decode(departures, for_members(base, members))
        return torch.unflatten(physical, 0, (-1, members))[:, :, None]


def no_lead(rows: Tensor) -> Tensor:
    """Downscaling has the lead 0 everywhere ``(N, 1)``."""
    return rows.new_zeros(len(rows), 1)
