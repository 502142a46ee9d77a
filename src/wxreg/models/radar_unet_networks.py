"""The two U-Nets that draw radar from satellite: a basic one and a deeper residual one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.models.convolution_blocks import DoubleConvolution, ResidualBlock, pad_to_multiple


class RadarUNet(nn.Module):
    """Encoder and decoder with skip connections: ``levels`` halvings, channels doubling each.

    With ``residual`` every encoder stage ends in a residual block and the bottleneck in three.
    Tiles of any size are padded to a multiple of ``2 ** levels`` and cropped again.
    """

    def __init__(
        self, inputs: int, outputs: int, *, base: int, levels: int, residual: bool
    ) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(levels + 1)]
        entries = [inputs, *widths[:-1]]
        self.multiple = 2**levels
        self.encoders = nn.ModuleList(
            _stage(entry, width, 1 if residual else 0)
            for entry, width in zip(entries[:levels], widths[:levels], strict=True)
        )
        self.bottleneck = _stage(entries[levels], widths[levels], 3 if residual else 0)
        descending = widths[:levels][::-1]
        self.lifts = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in descending
        )
        self.decoders = nn.ModuleList(DoubleConvolution(2 * width, width) for width in descending)
        self.head = nn.Conv2d(base, outputs, 1)

    def forward(self, fields: Tensor) -> Tensor:
        """``(B, inputs, Y, X)`` to ``(B, outputs, Y, X)``."""
        hidden, crop = pad_to_multiple(fields, self.multiple)
        skips: list[Tensor] = []
        for encoder in self.encoders:
            hidden = encoder(hidden)
            skips.append(hidden)
            hidden = functional.max_pool2d(hidden, 2)
        hidden = self.bottleneck(hidden)
        for lift, decoder in zip(self.lifts, self.decoders, strict=True):
            hidden = decoder(torch.cat([lift(hidden), skips.pop()], dim=1))
        return crop(self.head(hidden))


def _stage(inputs: int, outputs: int, residual_blocks: int) -> nn.Module:
    blocks = [ResidualBlock(outputs) for _ in range(residual_blocks)]
    return nn.Sequential(DoubleConvolution(inputs, outputs), *blocks)
