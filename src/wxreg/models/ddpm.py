"""`ddpm`: a conditional diffusion forecaster of the 81 thousand parameter class.

A small network predicts the mean change over the lead; a second one, a diffusion conditioned on
the same history, fixed fields, hour and lead, draws what the mean leaves.  Its schedule begins
at a noise level where nothing of the signal is left, its solvers are right for any number of
steps, and nothing is clamped unless that is declared.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.coarsening import block_mean, masked_block_mean, refine
from wxreg.models.conditional_unet import ConditionalUNet, check_divides, pad_fields
from wxreg.models.conditioning import Conditioning
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.residual_diffusion import ResidualDiffusion
from wxreg.models.residuals import ResidualSpace
from wxreg.models.settings import DiffusionSettings, SamplerSettings, parse_settings

_FACTOR = 4


class ConditionalDiffusion(Forecaster):
    """Members differ by the noise they start from, and by nothing else."""

    semantics: ClassVar[int] = 1

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        where = blueprint.architecture
        settings = parse_settings(DiffusionSettings, blueprint.settings, where)
        sampler = parse_settings(SamplerSettings, blueprint.sampler, f"{where} sampler")
        self.settings = settings
        self.multiple = 2**settings.depth
        self.factor = 1 if settings.resolution == "full" else _FACTOR
        if settings.pad == "refuse":
            check_divides(blueprint.target_shape, self.multiple * self.factor, "the network")
        self.space = ResidualSpace(blueprint)
        self.conditioning = Conditioning(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets, own=self._own_terms())
        channels, planes = len(blueprint.targets), self.conditioning.planes
        self.mean = ConditionalUNet(
            planes,
            channels,
            base=settings.mean_base,
            depth=settings.depth,
            blocks=settings.blocks,
            widest=settings.widest,
            scalars=self.conditioning.scalars,
        )
        self.diffusion = ResidualDiffusion(planes + channels, channels, settings, sampler)
        if settings.resolution == "coarse-and-fine":
            self.detail = ResidualDiffusion(planes + channels, channels, settings, sampler)

    def _own_terms(self) -> tuple[str, ...]:
        two = self.settings.resolution == "coarse-and-fine"
        return ("denoising", "denoising-detail") if two else ("denoising",)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the mean, and the denoising of what it leaves."""
        history = self.space.history(batch)
        planes, lead = self.conditioning(batch, history)
        base = self.space.base(history)
        mean = self._mean(planes, lead)
        shape = batch.lead_hours.shape
        fields = self.space.fields(batch, base, mean.reshape(*shape, *mean.shape[1:]))
        left = fields.target.flatten(0, 1) - mean.detach()
        real = fields.mask.flatten(0, 1)
        own = self._denoising(left, real, mean.detach(), planes, lead, generator)
        report: LossReport = self.losses(fields, own)
        return report

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The mean and, for each member, a draw of what it leaves."""
        history = self.space.history(batch)
        planes, lead = self.conditioning(batch, history)
        mean = self._mean(planes, lead)
        shape = batch.lead_hours.shape

        def for_members(fields: Tensor) -> Tensor:
            each = fields.reshape(shape[0], 1, shape[1], *fields.shape[1:])
            return each.expand(-1, members, *[-1] * fields.dim()).flatten(0, 2)

        left = self._draw(for_members(planes), for_members(lead), for_members(mean), noise, shape)
        changes = for_members(mean) + left
        rows = changes.reshape(shape[0] * members, shape[1], *changes.shape[1:])
        physical = self.space.decode(
            rows,
            self.space.base(history).repeat_interleave(members, dim=0),
            batch.lead_hours.repeat_interleave(members, dim=0),
        )
        return physical.reshape(shape[0], members, *physical.shape[1:])

    def _mean(self, planes: Tensor, lead: Tensor) -> Tensor:
        """The mean change on the full grid, computed on the grid that the option says."""
        rows, columns = planes.shape[-2:]
        if self.settings.resolution != "quarter":
            padded = pad_fields(planes, self.multiple)
            return torch.as_tensor(self.mean(padded, lead)[..., :rows, :columns])
        coarse = block_mean(planes, _FACTOR)
        padded = pad_fields(coarse, self.multiple)
        change = self.mean(padded, lead)[..., : coarse.shape[-2], : coarse.shape[-1]]
        return refine(change, _FACTOR, (rows, columns))

    def _denoising(
        self,
        left: Tensor,
        mask: Tensor,
        mean: Tensor,
        planes: Tensor,
        lead: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        told = torch.cat([planes, mean], dim=1)
        if self.factor == 1:
            return {"denoising": self.diffusion.loss(left, mask, told, lead, generator)}
        coarse, real = masked_block_mean(left, mask, _FACTOR)
        coarse_told = block_mean(told, _FACTOR)
        terms = {"denoising": self.diffusion.loss(coarse, real, coarse_told, lead, generator)}
        if self.settings.resolution == "coarse-and-fine":
            smooth = refine(coarse, _FACTOR, (left.shape[-2], left.shape[-1]))
            fine_told = torch.cat([planes, mean + smooth], dim=1)
            detail = left - smooth
            terms["denoising-detail"] = self.detail.loss(detail, mask, fine_told, lead, generator)
        return terms

    def _draw(
        self, planes: Tensor, lead: Tensor, mean: Tensor, noise: Noise, shape: torch.Size
    ) -> Tensor:
        told = torch.cat([planes, mean], dim=1)
        size = (mean.shape[-2], mean.shape[-1])

        def unit(like: Tensor) -> Tensor:
            grid = (shape[1], mean.shape[1], like.shape[-2], like.shape[-1])
            return noise.normal(grid, mean).flatten(0, 1)

        if self.factor == 1:
            return self.diffusion.draw(unit(told), told, lead)
        coarse_told = block_mean(told, _FACTOR)
        coarse = self.diffusion.draw(unit(coarse_told), coarse_told, lead)
        smooth = refine(coarse, _FACTOR, size)
        if self.settings.resolution == "quarter":
            return smooth
        fine_told = torch.cat([planes, mean + smooth], dim=1)
        return smooth + self.detail.draw(unit(fine_told), fine_told, lead)
