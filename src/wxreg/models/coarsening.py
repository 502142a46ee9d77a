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
