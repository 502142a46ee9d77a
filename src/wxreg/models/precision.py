"""Smaller numbers for sampling, declared, and with their deviation from float32 measured."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from wxreg.errors import Incompatible
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
    variables: Mapping[str, float] = field(default_factory=dict)
    """The largest difference of each channel, in its own units."""


def deviation(full: Tensor, smaller: Tensor, scale: Tensor) -> Deviation:
    """The difference of two forecasts ``(..., D, Y, X)`` over the scales ``(D, 1, 1)``."""
    difference = (smaller - full) / scale
    return Deviation(float(difference.abs().max()), float(difference.square().mean().sqrt()))


def measured_deviation(full: Tensor, smaller: Tensor, channels: Sequence[str]) -> Deviation:
    """How far a forecast ``(M, L, D, Y, X)`` moved; what is missing in both is left out.

    A channel that does not vary has no scale: it counts in its own units only.
    """
    if not torch.equal(full.isfinite(), smaller.isfinite()):
        raise Incompatible(
            "REG-461",
            "forecasts of these numbers overflow where those of float32 do not",
            where="sampling.precision",
            hint="choose bf16, whose range is that of float32, or 32",
        )
    moved = (smaller - full).nan_to_num(0.0)
    planes = full.movedim(-3, 0).flatten(1)
    scale = torch.stack([plane[plane.isfinite()].std(correction=0) for plane in planes])
    varies = scale > 0
    relative = moved[..., varies, :, :] / scale[varies][:, None, None]
    largest = moved.abs().movedim(-3, 0).flatten(1).amax(dim=1).tolist()
    return Deviation(
        float(relative.abs().max()) if varies.any() else 0.0,
        float(relative.square().mean().sqrt()) if varies.any() else 0.0,
        dict(zip(channels, largest, strict=True)),
    )


def stored_bytes(module: nn.Module, precision: Precision) -> int:
    """What the weights take when they are stored in that precision."""
    width = {"32": 4, "bf16": 2, "16": 2, "int8": 1}[precision]
    return sum(parameter.numel() * width for parameter in module.parameters())
