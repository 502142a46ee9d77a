"""A conditional diffusion of what a regression mean leaves over, on one grid.

The preconditioning and the weight of each noise level are those of EDM (Karras et al. 2022) for
data of unit variance; the scale of each channel is followed during training, so that the data
do have unit variance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wxreg.errors import UsageError
from wxreg.ids import not_found
from wxreg.models.conditional_unet import ConditionalUNet, pad_fields
from wxreg.models.losses.fields import masked_mean
from wxreg.models.samplers.edm import SOLVERS
from wxreg.models.samplers.schedules import karras_sigmas
from wxreg.models.settings import DiffusionSettings, SamplerSettings

_SMALLEST = 1e-4


class ResidualDiffusion(nn.Module):
    """Learns to denoise fields ``(N, D, Y, X)`` given planes, and draws new ones."""

    spread: Tensor
    seen: Tensor

    def __init__(
        self, planes: int, channels: int, settings: DiffusionSettings, sampler: SamplerSettings
    ) -> None:
        super().__init__()
        if sampler.name not in SOLVERS:
            raise not_found("sampler", sampler.name, SOLVERS)
        if sampler.sigma_min >= sampler.sigma_max:
            raise UsageError("REG-240", "sigma_min is not below sigma_max", where="sampler")
        self.settings = settings
        self.sampler = sampler
        self.multiple = 2**settings.depth
        self.network = ConditionalUNet(
            planes + channels,
            channels,
            base=settings.base,
            depth=settings.depth,
            blocks=settings.blocks,
            widest=settings.widest,
            scalars=2,
        )
        self.register_buffer("spread", torch.ones(channels, 1, 1))
        self.register_buffer("seen", torch.zeros(()))

    def denoise(self, noisy: Tensor, sigma: Tensor, planes: Tensor, lead: Tensor) -> Tensor:
        """The clean field expected behind ``noisy`` at the noise levels ``sigma`` ``(N,)``."""
        level = sigma.reshape(-1, 1, 1, 1)
        keep = 1 / (level.square() + 1)
        scalars = torch.cat([lead, sigma.reshape(-1, 1).log() / 4], dim=1)
        rows, columns = noisy.shape[-2:]
        fields = pad_fields(torch.cat([noisy * keep.sqrt(), planes], dim=1), self.multiple)
        change = self.network(fields, scalars)[..., :rows, :columns]
        return torch.as_tensor(keep * noisy + level * keep.sqrt() * change)

    def loss(
        self, left: Tensor, mask: Tensor, planes: Tensor, lead: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The denoising loss of what the mean left; 1 for a network that knows nothing."""
        return self.denoised(left, mask, planes, lead, generator)[0]

    def denoised(
        self, left: Tensor, mask: Tensor, planes: Tensor, lead: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The denoising loss, and what was found behind the noise in its own units."""
        if self.training:
            self._follow(left.detach(), mask)
        clean = left / self.spread
        draw = torch.randn(len(left), generator=generator, device=generator.device).to(left)
        sigma = (self.settings.noise_mean + self.settings.noise_spread * draw).exp()
        noise = torch.randn(left.shape, generator=generator, device=generator.device).to(left)
        level = sigma.reshape(-1, 1, 1, 1)
        found = self.denoise(clean + level * noise, sigma, planes, lead)
        weight = (level.square() + 1) / level.square()
        return masked_mean((found - clean).square() * weight, mask), found * self.spread

    def draw(self, noise: Tensor, planes: Tensor, lead: Tensor) -> Tensor:
        """What the mean leaves, sampled from unit noise ``(N, D, Y, X)``."""
        options = self.sampler
        sigmas = karras_sigmas(options.steps, options.sigma_min, options.sigma_max, options.rho)

        def denoiser(x: Tensor, sigma: Tensor) -> Tensor:
            clean = self.denoise(x, sigma.to(x).expand(len(x)), planes, lead)
            return clean if options.clamp is None else clean.clamp(-options.clamp, options.clamp)

        return SOLVERS[options.name](denoiser, noise, sigmas) * self.spread

    @torch.no_grad()
    def _follow(self, left: Tensor, mask: Tensor) -> None:
        """Move the scale of each channel towards this batch's root mean square."""
        count = mask.sum(dim=(0, 2, 3)).clamp(min=1)
        size = (torch.where(mask, left, 0.0).square().sum(dim=(0, 2, 3)) / count).sqrt()
        self.seen += 1
        weight = torch.clamp(1 / self.seen, min=1 - self.settings.tracking)
        self.spread.lerp_(size.clamp(min=_SMALLEST).reshape(-1, 1, 1), weight)
