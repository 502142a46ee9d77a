"""Layers that draw: their randomness comes from the caller's noise, never from a global state."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.models.forecaster import Noise


class GeneratorNoise:
    """Noise for training: one draw for each row of the tensor it is like."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Standard normal draws of shape ``(rows, *shape)``."""
        size, device = (len(like), *shape), self.generator.device
        return torch.randn(size, generator=self.generator, device=device).to(like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform draws in [0, 1) of shape ``(rows, *shape)``."""
        size, device = (len(like), *shape), self.generator.device
        return torch.rand(size, generator=self.generator, device=device).to(like)


class ChannelDropout(nn.Module):
    """Whole channels are silenced at random; without noise the layer passes its input on."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, fields: Tensor, noise: Noise | None) -> Tensor:
        """Silence each channel of each row with the probability ``rate``."""
        if noise is None or self.rate == 0.0:
            return fields
        kept = noise.uniform((fields.shape[1], 1, 1), fields) >= self.rate
        return fields * kept / (1.0 - self.rate)


class PlainConvolution(nn.Conv2d):
    """A convolution with the signature of a variational one; it ignores the noise."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2)

    def forward(self, fields: Tensor, noise: Noise | None = None) -> Tensor:
        """Convolve every row with the same weights."""
        return super().forward(fields)


class VariationalConvolution(nn.Module):
    """A convolution whose weights are independent normal variables (Bayes by backprop).

    Each row of a batch gets its own draw of the weights, so a member is one plausible network
    seen over the whole field.  Without noise the mean weights are used.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, *, initial_std: float, prior_std: float
    ) -> None:
        super().__init__()
        mean = nn.Conv2d(inputs, outputs, size)
        self.weight_mean = nn.Parameter(mean.weight.detach().clone())
        self.bias = nn.Parameter(torch.zeros(outputs))
        rho = math.log(math.expm1(initial_std))
        self.weight_rho = nn.Parameter(torch.full_like(self.weight_mean, rho))
        self.prior_std = prior_std
        self.padding = size // 2

    def forward(self, fields: Tensor, noise: Noise | None) -> Tensor:
        """Convolve each row with its own weights."""
        if noise is None:
            return functional.conv2d(fields, self.weight_mean, self.bias, padding=self.padding)
        draws = noise.normal(tuple(self.weight_mean.shape), fields)
        weights = self.weight_mean + self.weight_std * draws
        rows, channels, height, width = fields.shape
        folded = fields.reshape(1, rows * channels, height, width)
        output = functional.conv2d(folded, weights.flatten(0, 1), padding=self.padding, groups=rows)
        return output.reshape(rows, -1, height, width) + self.bias[:, None, None]

    @property
    def weight_std(self) -> Tensor:
        """The posterior standard deviation of each weight."""
        return functional.softplus(self.weight_rho)

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence of the posterior from the prior, summed over the weights."""
        variance_ratio = (self.weight_std / self.prior_std) ** 2
        distance = (self.weight_mean / self.prior_std) ** 2
        return 0.5 * (variance_ratio + distance - 1.0 - variance_ratio.log()).sum()
