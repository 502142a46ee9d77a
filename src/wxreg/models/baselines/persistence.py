"""Persistence: the newest observed value at every lead."""

from __future__ import annotations

from torch import Tensor

from wxreg.models.baselines.baseline import Baseline, last_real, repeat_members, target_places
from wxreg.models.forecaster import Batch, Blueprint, Noise


class Persistence(Baseline):
    """Repeats the last real input of each target; where none exists the forecast is missing."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.places = target_places(blueprint)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members: persistence knows no uncertainty."""
        newest = last_real(batch, self.places)
        leads = self.blueprint.leads
        return repeat_members(newest.unsqueeze(1).repeat(1, leads, 1, 1, 1), members)
