"""`corrdiff-era5`: a regression mean, and a diffusion that draws what the mean leaves."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.coarsening import block_mean, refine_smoothly
from wxreg.models.conditional_unet import ConditionalUNet, pad_fields
from wxreg.models.downscaling_settings import CorrDiffSettings
from wxreg.models.downscaling_space import DownscalingSpace, for_members
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.residual_diffusion import ResidualDiffusion
from wxreg.models.settings import SamplerSettings, parse_settings
from wxreg.models.sr3 import DENOISING, no_lead


class CorrDiff(Forecaster):
    """Both networks learn at once; the diffusion never moves the mean."""

    semantics: ClassVar[int] = 1
    settings_type: ClassVar[type[CorrDiffSettings]] = CorrDiffSettings

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        where = blueprint.architecture
        settings = parse_settings(self.settings_type, blueprint.settings, where)
        sampler = parse_settings(SamplerSettings, blueprint.sampler, f"{where} sampler")
        self.settings = settings
        self.space = DownscalingSpace(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets, own=(DENOISING,))
        channels, planes = len(blueprint.targets), self.space.planes_count
        self.mean = ConditionalUNet(
            planes,
            channels,
            base=settings.mean_base,
            depth=settings.depth,
            blocks=settings.blocks,
            widest=settings.widest,
            scalars=1,
        )
        self.diffusion = ResidualDiffusion(planes + channels, channels, settings, sampler)

    def regress(self, planes: Tensor) -> Tensor:
        """The mean departure from interpolation, smooth below the cells it is computed on."""
        factor = self.settings.mean_factor
        seen = block_mean(planes, factor)
        padded = pad_fields(seen, 2**self.settings.depth)
        mean = self.mean(padded, no_lead(seen))[..., : seen.shape[-2], : seen.shape[-1]]
        return refine_smoothly(mean, factor, (planes.shape[-2], planes.shape[-1]))

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the mean, and the denoising of what it leaves."""
        base, planes = self.space.base(batch), self.space.planes(batch)
        mean = self.regress(planes)
        target, mask = self.space.encode(batch, base)
        told = torch.cat([planes, mean.detach()], dim=1)
        left = (target - mean).detach()
        denoising, found = self.diffusion.denoised(left, mask, told, no_lead(told), generator)
        fields = self.space.fields(batch, base, mean, drawn=lambda: mean.detach() + found)
        report: LossReport = self.losses(fields, {DENOISING: denoising})
        return report

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The mean once for all members, and for each a draw of what it leaves."""
        base, planes = self.space.base(batch), self.space.planes(batch)
        mean = self.regress(planes)
        told = for_members(torch.cat([planes, mean], dim=1), members)
        start = noise.normal(tuple(mean.shape[1:]), mean)
        left = self.draw(start, told, noise)
        physical = self.space.decode(for_members(mean, members) + left, for_members(base, members))
        return torch.unflatten(physical, 0, (-1, members))[:, :, None]

    def draw(self, start: Tensor, told: Tensor, noise: Noise) -> Tensor:
        """What the mean leaves, from unit noise; further noise is there for those who need it."""
        return self.diffusion.draw(start, told, no_lead(told))
