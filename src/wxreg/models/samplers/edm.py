"""Solvers for denoisers ``D(x, sigma)`` in the variance-exploding form of EDM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""The clean field expected behind a noisy one; the noise level is a scalar tensor."""


def heun(denoise: Denoiser, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Second-order steps down ``sigmas`` from unit noise; two calls a step, one for the last."""
    x = noise * sigmas[0]
    for now, after in pairwise(sigmas):
        slope = (x - denoise(x, now)) / now
        ahead = x + (after - now) * slope
        if after > 0:
            slope = (slope + (ahead - denoise(ahead, after)) / after) / 2
            ahead = x + (after - now) * slope
        x = ahead
    return x


def euler(denoise: Denoiser, noise: Tensor, sigmas: Tensor) -> Tensor:
    """First-order steps: one call a step (the DDIM of this form)."""
    x = noise * sigmas[0]
    for now, after in pairwise(sigmas):
        x = x + (after - now) * (x - denoise(x, now)) / now
    return x


def dpm2m(denoise: Denoiser, noise: Tensor, sigmas: Tensor) -> Tensor:
    """DPM-Solver++ (2M): second order from the previous call, one call a step."""
    x = noise * sigmas[0]
    before: Tensor | None = None
    for place, (now, after) in enumerate(pairwise(sigmas)):
        clean = denoise(x, now)
        if after == 0:
            return clean
        step = torch.log(now / after)
        aim = clean
        if before is not None:
            ratio = torch.log(sigmas[place - 1] / now) / step
            aim = clean + (clean - before) / (2 * ratio)
        x = (after / now) * x + (1 - after / now) * aim
        before = clean
    return x


SOLVERS: Final[Mapping[str, Callable[[Denoiser, Tensor, Tensor], Tensor]]] = MappingProxyType(
    {"heun": heun, "euler": euler, "dpm2m": dpm2m}
)
"""The solvers of this form by their registry names."""
