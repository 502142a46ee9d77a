"""Climatology: the mean of the training period for each place and hour of the day."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from wxreg.models.baselines.baseline import FittedBaseline, real_values, repeat_members
from wxreg.models.baselines.running_mean import RunningSums
from wxreg.models.baselines.settings import ClimatologySettings
from wxreg.models.forecaster import Batch, Blueprint, Noise
from wxreg.models.settings import parse_settings

_HOUR = 3600.0


class Climatology(FittedBaseline):
    """Forecasts the training mean at the hour that is forecast."""

    mean: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.settings = parse_settings(
            ClimatologySettings, blueprint.settings, blueprint.architecture
        )
        grid = blueprint.target_shape if self.settings.by_place else (1, 1)
        shape = (self.settings.hours, len(blueprint.targets), *grid)
        self.register_buffer("mean", torch.full(shape, torch.nan))

    def bins(self, batch: Batch) -> Tensor:
        """The part of the UTC day of each valid time ``(B, L)``."""
        hours = batch.time[:, None] / _HOUR + batch.lead_hours.double()
        return (torch.remainder(hours, 24.0) * (self.settings.hours / 24.0)).long()

    def learn(self, batches: Iterable[Batch]) -> None:
        """Average the targets of each part of the day."""
        sums = [RunningSums(self.settings.by_place) for _ in range(self.settings.hours)]
        for batch in batches:
            assert batch.target is not None and batch.target_mask is not None
            values = real_values(batch.target, batch.target_mask)
            bins = self.bins(batch)
            for place, running in enumerate(sums):
                running.add(values[bins == place])
        self.mean.copy_(torch.stack([running.mean() for running in sums]))

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members; NaN where the training period had no value."""
        self.require_fit()
        forecast = self.mean[self.bins(batch)]
        grid = self.blueprint.target_shape
        return repeat_members(forecast.expand(*forecast.shape[:3], *grid), members)
