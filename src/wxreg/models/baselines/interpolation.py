"""Going from the coarse grid to an aligned finer one without inventing missing values."""

from __future__ import annotations

from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.convolution_blocks import upsample
from wxreg.models.forecaster import Blueprint


def grid_factor(blueprint: Blueprint) -> int:
    """How many target cells lie along one input cell."""
    (coarse_y, coarse_x), (fine_y, fine_x) = blueprint.input_shape, blueprint.target_shape
    factor = fine_y // coarse_y
    if (coarse_y * factor, coarse_x * factor) != (fine_y, fine_x):
        raise Incompatible(
            "REG-440",
            f"a {fine_y}x{fine_x} target is no whole multiple of a {coarse_y}x{coarse_x} input",
            hint=f"crop the target to {coarse_y * max(factor, 1)}x{coarse_x * max(factor, 1)}",
        )
    return factor


def interpolate_real(coarse: Tensor, factor: int) -> Tensor:
    """Bilinear, each weight shared among the real neighbours; NaN only within missing cells."""
    missing = coarse.isnan()
    weights = upsample((~missing).to(coarse.dtype), factor)
    values = upsample(coarse.nan_to_num(0.0), factor)
    hidden = missing.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
    return (values / weights).masked_fill(hidden, float("nan"))
