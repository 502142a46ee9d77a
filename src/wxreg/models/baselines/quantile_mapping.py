"""Quantile mapping: interpolate, then map each place's distribution onto the observed one.

Fitted on the training period only.  The trend-preserving variant (quantile delta mapping) also
reads the inputs of the period it will correct, by :meth:`QuantileMapping.observe`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.baselines.baseline import (
    FittedBaseline,
    last_real,
    real_values,
    repeat_members,
    target_places,
)
from wxreg.models.baselines.interpolation import grid_factor, interpolate_real
from wxreg.models.baselines.quantiles import (
    map_changes,
    map_quantiles,
    quantiles_of,
    spread_dry_days,
)
from wxreg.models.baselines.settings import QuantileSettings
from wxreg.models.forecaster import Batch, Blueprint, Noise
from wxreg.models.settings import parse_settings


class QuantileMapping(FittedBaseline):
    """Maps interpolated fields (``source``) onto the climate of the targets (``observed``)."""

    source: Tensor
    observed: Tensor
    application: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.settings = parse_settings(QuantileSettings, blueprint.settings, blueprint.architecture)
        self.places = target_places(blueprint)
        self.factor = grid_factor(blueprint)
        self.period_read = False
        """Whether :meth:`observe` has read the period that is corrected."""
        names = [channel.variable for channel in blueprint.targets]
        self.wet = [self.settings.wet.get(name) for name in names]
        shape = (self.settings.quantiles, len(names), *self.table_shape())
        for name in ("source", "observed", "application"):
            self.register_buffer(name, torch.full(shape, torch.nan))

    def table_shape(self) -> tuple[int, int]:
        """The grid on which distributions are compared."""
        return self.blueprint.target_shape

    def modelled(self, batch: Batch) -> Tensor:
        """The fields that are corrected, on that grid ``(B, D, Y, X)``."""
        return interpolate_real(last_real(batch, self.places), self.factor)

    def truth(self, batch: Batch) -> Tensor:
        """The fields they should resemble, on that grid."""
        assert batch.target is not None and batch.target_mask is not None
        return real_values(batch.target, batch.target_mask)[:, 0]

    def learn(self, batches: Iterable[Batch]) -> None:
        """Collect both climates; memory grows with the days of the training period."""
        pairs = [(self.modelled(batch), self.truth(batch)) for batch in batches]
        self.source.copy_(self._quantiles(torch.cat([modelled for modelled, _ in pairs])))
        self.observed.copy_(self._quantiles(torch.cat([truth for _, truth in pairs])))
        self.application.copy_(self.source)

    @property
    def preserves_trend(self) -> bool:
        """Whether the period to correct must be read before its fields are corrected."""
        return self.settings.variant == "trend-preserving"

    def observe(self, batches: Iterable[Batch]) -> None:
        """Read the inputs of the period to correct, for the trend-preserving variant."""
        self.require_fit()
        fields = torch.cat([self.modelled(batch) for batch in batches])
        self.application.copy_(self._quantiles(fields))
        self.period_read = True

    def correct(self, fields: Tensor) -> Tensor:
        """Corrected fields ``(B, D, Y, X)``; amounts below the wet one are dry."""
        self.require_fit()
        if self.preserves_trend and not self.period_read:
            raise Incompatible(
                "REG-448",
                f"{self.blueprint.architecture} was not shown the period that it corrects",
                hint="let it observe all inputs of that period first: its trend is measured there",
            )
        planes = [
            self._correct_plane(fields[:, place], place, wet) for place, wet in enumerate(self.wet)
        ]
        return torch.stack(planes, dim=1)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members."""
        corrected = self.correct(self.modelled(batch))
        leads = self.blueprint.leads
        return repeat_members(corrected.unsqueeze(1).repeat(1, leads, 1, 1, 1), members)

    def _correct_plane(self, values: Tensor, place: int, wet: float | None) -> Tensor:
        source, observed = self.source[:, place], self.observed[:, place]
        if wet is not None:
            values = torch.where(values < wet, values.clamp(min=wet / 2), values)
        if self.settings.variant == "empirical":
            mapped = map_quantiles(values, source, observed)
        else:
            application = self.application[:, place]
            mapped = map_changes(values, application, source, observed, ratio=wet is not None)
        return mapped if wet is None else torch.where(mapped < wet, 0.0, mapped)

    def _quantiles(self, samples: Tensor) -> Tensor:
        planes = [
            quantiles_of(
                samples[:, place] if wet is None else spread_dry_days(samples[:, place], wet),
                self.settings.quantiles,
            )
            for place, wet in enumerate(self.wet)
        ]
        return torch.stack(planes, dim=1)
