"""Convolution blocks that work on tiles of any size and never mix the samples of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Crop = Callable[[Tensor], Tensor]


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation in groups of channels: two parameters a channel, no fixed tile size."""
    return nn.GroupNorm(math.gcd(channels, 8), channels)


class PlaceNorm(nn.Module):
    """Normalises the channels of each place alone, so a tile never changes what its cells see."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, fields: Tensor) -> Tensor:
        """Keep the shape ``(B, channels, Y, X)``."""
        centred = fields - fields.mean(dim=1, keepdim=True)
        spread = (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        return centred / spread * self.scale + self.shift


class DoubleConvolution(nn.Module):
    """Two 3x3 convolutions, each normalised and rectified."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            group_norm(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            group_norm(outputs),
            nn.ReLU(),
        )

    def forward(self, fields: Tensor) -> Tensor:
        """``(B, inputs, Y, X)`` to ``(B, outputs, Y, X)``."""
        return torch.as_tensor(self.layers(fields))


class ResidualBlock(nn.Module):
    """Two convolutions added to their own input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.first_norm = group_norm(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.second_norm = group_norm(channels)

    def forward(self, fields: Tensor) -> Tensor:
        """Keep the shape ``(B, channels, Y, X)``."""
        change = functional.relu(self.first_norm(self.first(fields)))
        return functional.relu(fields + self.second_norm(self.second(change)))


class ResidualConvolution(nn.Module):
    """A residual block that may change the number of channels (a 1x1 convolution carries over)."""

    def __init__(
        self, inputs: int, outputs: int, norm: Callable[[int], nn.Module] = group_norm
    ) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            norm(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            norm(outputs),
        )
        self.carry: nn.Module = (
            nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        )

    def forward(self, fields: Tensor) -> Tensor:
        """``(B, inputs, Y, X)`` to ``(B, outputs, Y, X)``."""
        return functional.relu(self.carry(fields) + self.change(fields))


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with zero weights: an untrained network then adds nothing to its starting point."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def pad_to_multiple(fields: Tensor, multiple: int) -> tuple[Tensor, Crop]:
    """Repeat the edges until both sides divide by ``multiple``; the crop undoes it."""
    height, width = fields.shape[-2:]
    down, right = -height % multiple, -width % multiple
    padded = functional.pad(fields, (0, right, 0, down), mode="replicate")
    return padded, lambda output: output[..., :height, :width]


def upsample(coarse: Tensor, factor: int) -> Tensor:
    """Bilinear interpolation of ``(B, C, y, x)`` onto the aligned grid ``factor`` times finer."""
    if factor == 1:
        return coarse
    return functional.interpolate(
        coarse, scale_factor=float(factor), mode="bilinear", align_corners=False
    )


def block_mean(fine: Tensor, factor: int) -> Tensor:
    """The mean over each ``factor x factor`` block: the coarse field that a fine one implies."""
    return functional.avg_pool2d(fine, factor)


def centre_crop(fields: Tensor, shape: tuple[int, int]) -> Tensor:
    """Cut an equal halo from all sides until the last two dimensions are ``shape``."""
    top = (fields.shape[-2] - shape[0]) // 2
    left = (fields.shape[-1] - shape[1]) // 2
    return fields[..., top : top + shape[0], left : left + shape[1]]
