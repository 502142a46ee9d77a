"""A small U-Net whose blocks are steered by numbers: the lead, and the noise level if any.

Nothing is normalised over the grid: constant fields keep their meaning, and a cell's forecast
does not depend on how large the tile around it is.  Blocks begin as the identity instead.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.errors import Incompatible

_WAVES = 8
_EMBEDDING = 32


class SteeredBlock(nn.Module):
    """Two convolutions added to the input; the vector scales and shifts between them."""

    def __init__(self, inputs: int, outputs: int, steering: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.steer = nn.Linear(steering, 2 * outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.carry = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, fields: Tensor, vector: Tensor) -> Tensor:
        """``(N, inputs, Y, X)`` and ``(N, steering)`` to ``(N, outputs, Y, X)``."""
        change = self.first(functional.silu(fields))
        scale, shift = self.steer(vector)[..., None, None].chunk(2, dim=1)
        change = functional.silu(change * (1 + scale) + shift)
        return torch.as_tensor(self.carry(fields) + self.second(change))


class ConditionalUNet(nn.Module):
    """Halves the grid ``depth`` times and comes back, joining each level with its equal."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        base: int,
        depth: int,
        blocks: int,
        widest: int,
        scalars: int,
    ) -> None:
        """``scalars`` numbers steer each sample; see :meth:`forward`."""
        super().__init__()
        widths = [base * min(2**level, widest) for level in range(depth + 1)]
        waves = math.pi * 2.0 ** torch.linspace(-4, 3, _WAVES, device="cpu")
        self.waves: tuple[float, ...] = tuple(waves.tolist())
        self.embed = nn.Sequential(nn.Linear(scalars * 2 * _WAVES, _EMBEDDING), nn.SiLU())
        self.stem = nn.Conv2d(inputs, base, 3, padding=1)
        self.down = nn.ModuleList(
            _level(before, width, blocks)
            for before, width in zip([base, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            _level(below + width, width, blocks)
            for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(base, outputs, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, fields: Tensor, scalars: Tensor) -> Tensor:
        """``(N, inputs, Y, X)`` with ``(N, scalars)`` of order one to ``(N, outputs, Y, X)``."""
        angles = scalars[..., None] * scalars.new_tensor(self.waves)
        vector = self.embed(torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1))
        # Channels last is the faster layout for thin convolutions on processors and GPUs alike.
        fields = self.stem(fields.contiguous(memory_format=torch.channels_last))
        skips: list[Tensor] = []
        for level, stage in enumerate(self.down):
            if level:
                skips.append(fields)
                fields = functional.avg_pool2d(fields, 2)
            fields = _through(stage, fields, vector)
        for stage in self.up:
            fields = functional.interpolate(fields, scale_factor=2.0, mode="nearest")
            fields = _through(stage, torch.cat([fields, skips.pop()], dim=1), vector)
        return torch.as_tensor(self.head(functional.silu(fields)))


def _level(inputs: int, outputs: int, blocks: int) -> nn.ModuleList:
    first = SteeredBlock(inputs, outputs, _EMBEDDING)
    rest = [SteeredBlock(outputs, outputs, _EMBEDDING) for _ in range(blocks - 1)]
    return nn.ModuleList([first, *rest])


def _through(stage: nn.Module, fields: Tensor, vector: Tensor) -> Tensor:
    for block in stage.children():
        fields = block(fields, vector)
    return fields


def padded_shape(shape: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The smallest grid that holds ``shape`` and divides by ``multiple``."""
    rows, columns = (-(-size // multiple) * multiple for size in shape)
    return rows, columns


def check_divides(shape: tuple[int, int], multiple: int, what: str) -> None:
    """Refuse a grid that does not divide, naming the crop and the padding that fit."""
    if all(size % multiple == 0 for size in shape):
        return
    crop = tuple(size // multiple * multiple for size in shape)
    raise Incompatible(
        "REG-440",
        f"a grid of {shape[0]} by {shape[1]} does not divide by {multiple}, which {what} needs",
        hint=f"crop it to {crop[0]} by {crop[1]} or pad it to {{}} by {{}}".format(
            *padded_shape(shape, multiple)
        ),
    )


def pad_fields(fields: Tensor, multiple: int) -> Tensor:
    """Mirror the south and east edges out to a grid that divides by ``multiple``."""
    rows, columns = padded_shape((fields.shape[-2], fields.shape[-1]), multiple)
    more = (0, columns - fields.shape[-1], 0, rows - fields.shape[-2])
    if not any(more):
        return fields
    mirrored = more[1] < fields.shape[-1] and more[3] < fields.shape[-2]
    return functional.pad(fields, more, mode="reflect" if mirrored else "replicate")
