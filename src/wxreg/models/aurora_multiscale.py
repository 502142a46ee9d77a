"""`aurora-multiscale`: one Aurora trained on 3, 6 and 12 km views of the same weather.

Aurora is told the size of its cells through latitude and longitude, so one network serves all
scales.  Each step trains on one view; every ``len(factors)`` steps see every view once, in an
order drawn anew, so that no scale is favoured.  Forecasts are made on the grid that is given.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.aurora import AuroraForecaster
from wxreg.models.forecaster import Batch, Blueprint, LossReport
from wxreg.models.settings import AuroraMultiscaleSettings
from wxreg.models.views import coarsen


class AuroraMultiscale(AuroraForecaster):
    """Coarsens training batches itself; validation and sampling stay on the given grid."""

    semantics: ClassVar[int] = 1
    settings_type = AuroraMultiscaleSettings

    remaining: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        settings: AuroraMultiscaleSettings = self.settings  # type: ignore[assignment]
        self.factors = settings.factors
        self.scale_weights = settings.scale_weights or (1.0,) * len(settings.factors)
        waiting = torch.ones(len(self.factors), dtype=torch.bool, device="cpu")
        self.register_buffer("remaining", waiting)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses on this step's view, times the view's weight."""
        if not self.training:
            return super().loss(batch, generator)
        place = self._next_scale(generator)
        report = super().loss(coarsen(batch, self.factors[place]), generator)
        share = self.scale_weights[place]
        weights = {name: weight * share for name, weight in report.weights.items()}
        return LossReport(report.total * share, report.terms, weights)

    def _next_scale(self, generator: torch.Generator) -> int:
        """One of the scales that this round has not seen yet."""
        waiting = self.remaining.nonzero().flatten()
        draw = torch.randint(len(waiting), (1,), generator=generator, device=generator.device)
        place = int(waiting[int(draw)])
        self.remaining[place] = False
        if not bool(self.remaining.any()):
            self.remaining.fill_(True)
        return place
