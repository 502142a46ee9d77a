"""Smaller numbers for sampling, declared, and with their deviation from float32 measured."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from wxreg.models.forecaster import Forecaster

Precision = Literal["32", "bf16", "16", "int8"]
_LEVELS = 127


def with_precision(forecaster: Forecaster, precision: Precision) -> Forecaster:
    """A copy whose weights hold no more than ``precision`` can tell apart.

    Weights are rounded (int8: symmetric, one scale for each output channel) and computing stays
    in float32, so the result is the same on every device.
    """
    smaller = copy.deepcopy(forecaster)
    if precision == "32":
        return smaller
    rounding = _ROUNDINGS[precision]
    with torch.no_grad():
        for parameter in smaller.parameters():
            if parameter.dim() > 1 or precision != "int8":
                parameter.copy_(rounding(parameter))
    return smaller


def _int8(weight: Tensor) -> Tensor:
    flat = weight.reshape(len(weight), -1)
    scale = (flat.abs().amax(dim=1, keepdim=True) / _LEVELS).clamp(min=1e-12)
    return ((flat / scale).round().clamp(-_LEVELS, _LEVELS) * scale).reshape(weight.shape)


_ROUNDINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "bf16": lambda weight: weight.to(torch.bfloat16).to(weight.dtype),
    "16": lambda weight: weight.to(torch.float16).to(weight.dtype),
    "int8": _int8,
}


@dataclass(frozen=True)
class Deviation:
    """How far forecasts moved, in units of each variable's standard deviation."""

    largest: float
    root_mean_square: float


def deviation(full: Tensor, smaller: Tensor, scale: Tensor) -> Deviation:
    """The difference of two forecasts ``(..., D, Y, X)`` over the scales ``(D, 1, 1)``."""
    difference = (smaller - full) / scale
    return Deviation(float(difference.abs().max()), float(difference.square().mean().sqrt()))


def stored_bytes(module: nn.Module, precision: Precision) -> int:
    """What the weights take when they are stored in that precision."""
    width = {"32": 4, "bf16": 2, "16": 2, "int8": 1}[precision]
    return sum(parameter.numel() * width for parameter in module.parameters())
