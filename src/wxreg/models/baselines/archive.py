"""The archived forecast of another model, served as a forecaster, with declared corrections.

The inputs hold the archived forecast itself: input step ``l`` is its field at lead ``l``.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.baselines.baseline import (
    FittedBaseline,
    real_values,
    repeat_members,
    target_places,
)
from wxreg.models.baselines.quantiles import map_quantiles, quantiles_of, without_surplus
from wxreg.models.baselines.running_mean import RunningSums
from wxreg.models.baselines.settings import ArchiveSettings
from wxreg.models.forecaster import Batch, Blueprint, Noise
from wxreg.models.settings import parse_settings


class Archive(FittedBaseline):
    """Uncorrected it needs no fit; mean bias and quantiles are learned from the training period."""

    bias: Tensor
    source: Tensor
    observed: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        if blueprint.history != blueprint.leads:
            raise Incompatible(
                "REG-449",
                f"{blueprint.history} input steps cannot serve {blueprint.leads} leads",
                where=blueprint.architecture,
                hint="declare one archived step as input for each lead",
            )
        self.settings = parse_settings(ArchiveSettings, blueprint.settings, blueprint.architecture)
        self.needs_fit = self.settings.correction != "none"
        self.places = target_places(blueprint)
        self.floors = [self.settings.floor.get(each.variable) for each in blueprint.targets]
        grid = blueprint.target_shape if self.settings.by_place else (1, 1)
        shape = (blueprint.leads, len(blueprint.targets), *grid)
        if self.settings.correction == "mean-bias":
            self.register_buffer("bias", torch.zeros(shape))
        if self.settings.correction == "quantile":
            for name in ("source", "observed"):
                table = torch.full((self.settings.quantiles, *shape), torch.nan)
                self.register_buffer(name, table)

    def archived(self, batch: Batch) -> Tensor:
        """The archived forecast ``(B, L, D, Y, X)``, NaN where it is missing."""
        return real_values(batch.inputs[:, :, self.places], batch.input_mask[:, :, self.places])

    def learn(self, batches: Iterable[Batch]) -> None:
        """Compare archived forecasts with what happened."""
        pairs = ((self.archived(batch), _truth(batch)) for batch in batches)
        if self.settings.correction == "mean-bias":
            errors = RunningSums(self.settings.by_place)
            for forecast, truth in pairs:
                errors.add(forecast - truth)
            self.bias.copy_(errors.mean().nan_to_num(0.0))
        if self.settings.correction == "quantile":
            kept = list(pairs)
            made, observed = (torch.cat(side) for side in zip(*kept, strict=True))
            self._learn_quantiles(self._samples(made), self._samples(observed))

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The archived forecast, corrected as declared; equal members."""
        forecast = self.archived(batch)
        if self.needs_fit:
            self.require_fit()
        if self.settings.correction == "mean-bias":
            forecast = forecast - self.bias
        if self.settings.correction == "quantile":
            forecast = self._mapped(forecast)
        return repeat_members(forecast, members)

    def _samples(self, values: Tensor) -> Tensor:
        """Values ``(N, L, D, Y, X)`` of each cell, or those of all cells as one."""
        if self.settings.by_place:
            return values
        return values.movedim(0, -1).flatten(-3).movedim(-1, 0)[..., None, None]

    def _learn_quantiles(self, made: Tensor, observed: Tensor) -> None:
        for place, floor in enumerate(self.floors):
            pair = made[:, :, place], observed[:, :, place]
            if floor is not None:
                pair = without_surplus(*pair, floor)
            for table, samples in zip((self.source, self.observed), pair, strict=True):
                table[:, :, place] = quantiles_of(samples, self.settings.quantiles)

    def _mapped(self, forecast: Tensor) -> Tensor:
        grid = forecast.shape[1:]
        tables = (table.expand(-1, *grid) for table in (self.source, self.observed))
        mapped = map_quantiles(forecast, *tables)
        for place, floor in enumerate(self.floors):
            if floor is not None:
                raw, shown = forecast[:, :, place], mapped[:, :, place]
                mapped[:, :, place] = torch.where(raw <= floor, raw, shown.clamp(min=floor))
        return mapped


def _truth(batch: Batch) -> Tensor:
    assert batch.target is not None and batch.target_mask is not None
    return real_values(batch.target, batch.target_mask)
