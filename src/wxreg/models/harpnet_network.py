"""The HARPNET network: an attention-gated residual U-Net, written from its description."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.models.convolution_blocks import PlaceNorm, ResidualConvolution, pad_to_multiple, silent
from wxreg.models.forecaster import Noise
from wxreg.models.stochastic_layers import ChannelDropout


class AttentionGate(nn.Module):
    """Weighs each place of a skip connection by what the decoder is looking for."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.of_decoder = nn.Sequential(nn.Conv2d(channels, inner, 1), PlaceNorm(inner))
        self.of_skip = nn.Sequential(nn.Conv2d(channels, inner, 1), PlaceNorm(inner))
        self.weight = nn.Conv2d(inner, 1, 1)

    def attention(self, decoder: Tensor, skip: Tensor) -> Tensor:
        """Weights ``(B, 1, Y, X)`` between 0 and 1."""
        joined = functional.relu(self.of_decoder(decoder) + self.of_skip(skip))
        return torch.sigmoid(self.weight(joined))

    def forward(self, decoder: Tensor, skip: Tensor) -> Tensor:
        """The skip connection, dimmed where it does not matter."""
        return skip * self.attention(decoder, skip)


class DecoderStep(nn.Module):
    """One step up: lift, gate the skip connection, join, drop out, refine."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.lift = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.gate = AttentionGate(width)
        self.dropout = ChannelDropout(dropout)
        self.refine = ResidualConvolution(2 * width, width, PlaceNorm)

    def forward(self, deep: Tensor, skip: Tensor, noise: Noise | None) -> Tensor:
        """Halve the channels and double the resolution."""
        lifted = self.lift(deep)
        joined = torch.cat([lifted, self.gate(lifted, skip)], dim=1)
        return torch.as_tensor(self.refine(self.dropout(joined, noise)))


class HarpNetwork(nn.Module):
    """``levels`` halvings with residual blocks; dropout falls from the bottom to the top."""

    def __init__(
        self, inputs: int, outputs: int, *, base: int, levels: int, dropout: tuple[float, float]
    ) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(levels + 1)]
        self.multiple = 2**levels
        self.encoders = nn.ModuleList(
            ResidualConvolution(entry, width, PlaceNorm)
            for entry, width in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        rates = torch.linspace(dropout[0], dropout[1], levels, device="cpu").tolist()
        self.decoders = nn.ModuleList(
            DecoderStep(width, rate)
            for width, rate in zip(widths[:levels][::-1], rates, strict=True)
        )
        self.head = silent(nn.Conv2d(base, outputs, 1))

    def forward(self, fields: Tensor, noise: Noise | None = None) -> Tensor:
        """``(B, inputs, Y, X)`` to ``(B, outputs, Y, X)``; dropout acts only with ``noise``."""
        hidden, crop = pad_to_multiple(fields, self.multiple)
        skips: list[Tensor] = []
        for level, encoder in enumerate(self.encoders):
            if level:
                hidden = functional.max_pool2d(hidden, 2)
            hidden = encoder(hidden)
            skips.append(hidden)
        hidden = skips.pop()
        for decoder in self.decoders:
            hidden = decoder(hidden, skips.pop(), noise)
        return crop(self.head(hidden))
