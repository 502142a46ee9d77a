"""Damped persistence: today's departure from the mean, shrunk as it was in the training period."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from wxreg.models.baselines.baseline import (
    FittedBaseline,
    last_real,
    real_values,
    repeat_members,
    target_places,
)
from wxreg.models.baselines.running_mean import RunningSums
from wxreg.models.baselines.settings import PlaceSettings
from wxreg.models.forecaster import Batch, Blueprint, Noise
from wxreg.models.settings import parse_settings


class DampedPersistence(FittedBaseline):
    """``mean of the target + damping * (last value - mean of the last values)``.

    The damping of each lead and variable is the regression coefficient over all places.
    """

    start_mean: Tensor
    end_mean: Tensor
    damping: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.settings = parse_settings(PlaceSettings, blueprint.settings, blueprint.architecture)
        self.places = target_places(blueprint)
        grid = blueprint.target_shape if self.settings.by_place else (1, 1)
        shape = (blueprint.leads, len(blueprint.targets))
        for name in ("start_mean", "end_mean"):
            self.register_buffer(name, torch.full((*shape, *grid), torch.nan))
        self.register_buffer("damping", torch.full((*shape, 1, 1), torch.nan))

    def learn(self, batches: Iterable[Batch]) -> None:
        """Regress targets on last values from their sums and products."""
        sums = {name: RunningSums(self.settings.by_place) for name in ("x", "y", "xy", "xx")}
        for batch in batches:
            assert batch.target is not None and batch.target_mask is not None
            end = real_values(batch.target, batch.target_mask).double()
            start = last_real(batch, self.places)[:, None].expand_as(end).double()
            start, end = start + 0 * end, end + 0 * start
            for name, values in (
                ("x", start), ("y", end), ("xy", start * end), ("xx", start * start)
            ):  # fmt: skip
                sums[name].add(values)
        start_mean, end_mean = sums["x"].mean(), sums["y"].mean()
        count = sums["x"].count
        assert count is not None
        shared = _pooled(count * (sums["xy"].mean() - start_mean * end_mean))
        alone = _pooled(count * (sums["xx"].mean() - start_mean.square()))
        self.start_mean.copy_(start_mean)
        self.end_mean.copy_(end_mean)
        self.damping.copy_(torch.where(alone > 0, shared / alone, 0.0))

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members; the mean alone where nothing was observed."""
        self.require_fit()
        departure = last_real(batch, self.places)[:, None] - self.start_mean
        return repeat_members(self.end_mean + self.damping * departure.nan_to_num(0.0), members)


def _pooled(values: Tensor) -> Tensor:
    """The sum over all places that have a value."""
    return values.nan_to_num(0.0).sum((-2, -1), keepdim=True)
