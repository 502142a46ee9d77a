"""Block means that look at real values only, and the smooth way back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from wxreg.models.conditional_unet import padded_shape


def block_mean(fields: Tensor, factor: int) -> Tensor:
    """Means of ``factor`` by ``factor`` blocks of ``(N, C, Y, X)``; short blocks at the ends."""
    return functional.avg_pool2d(
        fields, factor, ceil_mode=True, count_include_pad=False
    )  # fmt: skip


def masked_block_mean(fields: Tensor, mask: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Means of the real cells of each block, and the blocks that have any."""
    share = block_mean(mask.to(fields.dtype), factor)
    means = block_mean(torch.where(mask, fields, 0.0), factor) / share.clamp(min=1e-6)
    return means, share > 0


def refine(fields: Tensor, factor: int, shape: tuple[int, int]) -> Tensor:
    """Bilinear interpolation back to ``shape``, block centres staying where they are."""
    rows, columns = padded_shape(shape, factor)
    fine = functional.interpolate(
        fields, size=(rows, columns), mode="bilinear", align_corners=False
    )
    return fine[..., : shape[0], : shape[1]]


def refine_smoothly(fields: Tensor, factor: int, shape: tuple[int, int]) -> Tensor:
    """Interpolation that mirrors hardly anything of larger scales into the finest ones.

    Bilinear interpolation has kinks at the block centres; a 1-2-1 filter takes them away.
    """
    if factor == 1:
        return fields
    channels = fields.shape[1]
    line = fields.new_tensor([0.25, 0.5, 0.25])
    weights = (line[:, None] * line).expand(channels, 1, 3, 3)
    fine = functional.pad(refine(fields, factor, shape), (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(fine, weights, groups=channels)
