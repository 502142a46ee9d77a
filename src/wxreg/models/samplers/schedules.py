"""How much noise there is at each step.

`karras_sigmas` (variance exploding) starts so high that nothing of the signal is left;
`cosine_signal` (variance preserving) ends at a signal-to-noise ratio of exactly zero, so that
pure noise is where training ended and sampling begins.
"""

from __future__ import annotations

import torch
from torch import Tensor


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """``steps`` noise levels from ``sigma_max`` down to ``sigma_min``, then 0."""
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = (high + ramp * (low - high)) ** rho
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def cosine_signal(times: Tensor) -> tuple[Tensor, Tensor]:
    """The signal and noise amplitudes at times in [0, 1]: squares sum to 1, no signal at 1."""
    signal = torch.cos(times.double() * (torch.pi / 2))
    signal = torch.where(times >= 1, torch.zeros_like(signal), signal)
    noise = (1 - signal.square()).clamp(min=0).sqrt()
    return signal.to(times.dtype), noise.to(times.dtype)


def uniform_times(steps: int) -> Tensor:
    """``steps + 1`` times from 1 down to 0, both included."""
    return torch.linspace(1, 0, steps + 1)
