"""`corrdiff-fast-era5`: CorrDiff in one to four steps, by consistency distillation.

The student starts as the teacher and learns that every point of one denoising path leads to the
same clean field: its answer at a noisier level must equal the answer of its slowly following
copy at the next level, reached by one solver step of the teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import ClassVar

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.building import load_weights
from wxreg.models.corrdiff import CorrDiff
from wxreg.models.downscaling_settings import CorrDiffSettings, DistillationSettings
from wxreg.models.forecaster import Batch, Blueprint, LossReport, Noise
from wxreg.models.losses.fields import masked_mean
from wxreg.models.residual_diffusion import ResidualDiffusion
from wxreg.models.samplers.schedules import karras_sigmas
from wxreg.models.sr3 import no_lead

CONSISTENCY = "consistency"


class DistilledCorrDiff(CorrDiff):
    """A student of a trained `corrdiff`; :meth:`adopt` gives it its teacher."""

    settings_type: ClassVar[type[CorrDiffSettings]] = DistillationSettings
    settings: DistillationSettings
    taught: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.losses.weights.setdefault(CONSISTENCY, 1.0)
        self.teacher = deepcopy(self.diffusion).requires_grad_(False)
        self.follower = deepcopy(self.diffusion).requires_grad_(False)
        self.mean.requires_grad_(False)
        self.register_buffer("taught", torch.tensor(False))

    def adopt(self, teacher: Mapping[str, Tensor]) -> None:
        """Take over the weights of a trained `corrdiff` with the same settings."""
        tensors = {
            **dict(teacher),
            **_renamed(teacher, "teacher."),
            **_renamed(teacher, "follower."),
            "taught": torch.tensor(True),
        }
        load_weights(self, tensors)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """How far the student's answers along one path are apart."""
        if not self.taught.is_meta and not bool(self.taught):
            raise Incompatible(
                "REG-444",
                f"{self.blueprint.architecture} has no teacher to learn from",
                hint="train the corrdiff entry first and name its checkpoint as initial weights",
            )
        self._follow()
        base, planes = self.space.base(batch), self.space.planes(batch)
        target, mask = self.space.encode(batch, base)
        with torch.no_grad():
            mean = self.regress(planes)
        told = torch.cat([planes, mean], dim=1)
        clean = (target - mean) / self.teacher.spread
        return self.losses.total({CONSISTENCY: self.gap(clean, mask, told, generator)})

    def gap(self, clean: Tensor, mask: Tensor, told: Tensor, generator: torch.Generator) -> Tensor:
        """The squared difference of the answers at two neighbouring noise levels."""
        sigmas = self._levels().to(clean)
        device = generator.device
        rung = torch.randint(
            len(sigmas) - 1, (len(clean),), generator=generator, device=device
        ).to(clean.device)  # fmt: skip
        noise = torch.randn(clean.shape, generator=generator, device=device).to(clean)
        noisier, cleaner = sigmas[rung], sigmas[rung + 1]
        lead = no_lead(told)
        start = clean + noisier[:, None, None, None] * noise
        answer = self.diffusion.denoise(start, noisier, told, lead)
        with torch.no_grad():
            ahead = _heun_step(self.teacher, start, noisier, cleaner, told, lead)
            wanted = self.follower.denoise(ahead, cleaner.clamp(min=1e-3), told, lead)
            wanted = torch.where(cleaner[:, None, None, None] > 0, wanted, ahead)
        return masked_mean((answer - wanted).square(), mask)

    def draw(self, start: Tensor, told: Tensor, noise: Noise) -> Tensor:
        """One answer from pure noise, then fresh noise and another answer for each further step."""
        lead, sigma = no_lead(told), self.diffusion.sampler.sigma_max
        rows = start.new_ones(len(start))
        clean = self.diffusion.denoise(start * sigma, sigma * rows, told, lead)
        middle = self.settings.middle_sigma
        for _ in range(self.settings.student_steps - 1):
            fresh = noise.normal(tuple(clean.shape[1:]), clean)
            clean = self.diffusion.denoise(clean + middle * fresh, middle * rows, told, lead)
            middle /= 2
        return clean * self.diffusion.spread

    def _levels(self) -> Tensor:
        options = self.diffusion.sampler
        return karras_sigmas(
            self.settings.teacher_steps, options.sigma_min, options.sigma_max, options.rho
        )

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the slow copy towards the student."""
        weight = 1 - self.settings.target_memory
        pairs = zip(self.follower.parameters(), self.diffusion.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, weight)


def _renamed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    own = "diffusion."
    return {
        prefix + name.removeprefix(own): tensor.clone()
        for name, tensor in tensors.items()
        if name.startswith(own)
    }


def _heun_step(
    teacher: ResidualDiffusion,
    x: Tensor,
    now: Tensor,
    after: Tensor,
    told: Tensor,
    lead: Tensor,
) -> Tensor:
    """One second-order step of the teacher's path; first order where it ends at no noise."""
    shape = (-1, 1, 1, 1)
    step = (after - now).reshape(shape)
    slope = (x - teacher.denoise(x, now, told, lead)) / now.reshape(shape)
    ahead = x + step * slope
    low = after.clamp(min=1e-3)
    second = (ahead - teacher.denoise(ahead, low, told, lead)) / low.reshape(shape)
    return torch.where(after.reshape(shape) > 0, x + step * (slope + second) / 2, ahead)
