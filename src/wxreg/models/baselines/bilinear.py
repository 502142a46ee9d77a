"""Bilinear interpolation of the coarse field: the baseline of downscaling."""

from __future__ import annotations

from torch import Tensor

from wxreg.models.baselines.baseline import Baseline, last_real, repeat_members, target_places
from wxreg.models.baselines.interpolation import grid_factor, interpolate_real
from wxreg.models.forecaster import Batch, Blueprint, Noise


class Bilinear(Baseline):
    """The newest coarse field of each target, interpolated onto the target grid."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.places = target_places(blueprint)
        self.factor = grid_factor(blueprint)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members: interpolation knows no uncertainty."""
        fine = interpolate_real(last_real(batch, self.places), self.factor)
        leads = self.blueprint.leads
        return repeat_members(fine.unsqueeze(1).repeat(1, leads, 1, 1, 1), members)
