"""The residual U-Net of the downscaling family; its decoder may drop out or be variational."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.models.convolution_blocks import ResidualConvolution, group_norm, pad_to_multiple, silent
from wxreg.models.forecaster import Noise
from wxreg.models.stochastic_layers import ChannelDropout, PlainConvolution, VariationalConvolution

Convolution = PlainConvolution | VariationalConvolution
MakeConvolution = Callable[[int, int, int], Convolution]


class DecoderLevel(nn.Module):
    """Join the level below with the skip connection, drop out, convolve twice."""

    def __init__(self, width: int, dropout: float, convolution: MakeConvolution) -> None:
        super().__init__()
        self.dropout = ChannelDropout(dropout)
        self.first = convolution(3 * width, width, 3)
        self.first_norm = group_norm(width)
        self.second = convolution(width, width, 3)
        self.second_norm = group_norm(width)

    def forward(self, deep: Tensor, skip: Tensor, noise: Noise | None) -> Tensor:
        """``(B, 2w, y, x)`` and ``(B, w, 2y, 2x)`` to ``(B, w, 2y, 2x)``."""
        lifted = functional.interpolate(deep, scale_factor=2.0, mode="nearest")
        joined = self.dropout(torch.cat([lifted, skip], dim=1), noise)
        hidden = functional.silu(self.first_norm(self.first(joined, noise)))
        return functional.silu(self.second_norm(self.second(hidden, noise)))


class DownscalingNetwork(nn.Module):
    """``levels`` halvings down, the same number up, and a convolution as the head."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        base: int,
        levels: int,
        dropout: float = 0.0,
        convolution: MakeConvolution = PlainConvolution,
    ) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(levels + 1)]
        self.multiple = 2**levels
        self.encoders = nn.ModuleList(
            ResidualConvolution(entry, width)
            for entry, width in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        self.decoders = nn.ModuleList(
            DecoderLevel(width, dropout, convolution) for width in widths[:levels][::-1]
        )
        self.head = silent(nn.Conv2d(base, outputs, 1))

    def forward(self, fields: Tensor, noise: Noise | None = None) -> Tensor:
        """``(B, inputs, Y, X)`` to ``(B, outputs, Y, X)``; without noise nothing is random."""
        hidden, crop = pad_to_multiple(fields, self.multiple)
        skips: list[Tensor] = []
        for level, encoder in enumerate(self.encoders):
            if level:
                hidden = functional.avg_pool2d(hidden, 2)
            hidden = encoder(hidden)
            skips.append(hidden)
        hidden = skips.pop()
        for decoder in self.decoders:
            hidden = decoder(hidden, skips.pop(), noise)
        return crop(self.head(hidden))

    def divergence(self) -> Tensor:
        """The mean divergence from the prior of the weights that have a distribution."""
        layers = [one for one in self.modules() if isinstance(one, VariationalConvolution)]
        total = torch.stack([layer.divergence() for layer in layers]).sum()
        return total / sum(layer.weight_mean.numel() for layer in layers)
