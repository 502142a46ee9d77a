"""An example architecture: everything drifts by one learned offset a channel."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.residuals import ResidualSpace


class StillWeather(Forecaster):
    semantics: ClassVar[int] = 3

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.space = ResidualSpace(blueprint)
        self.offset = nn.Parameter(torch.zeros(len(blueprint.targets), 1, 1))

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        target, _mask = self.space.encode(batch, self.space.base(self.space.history(batch)))
        error = (target - self.offset).square().mean()
        return LossReport(error, {"mse": error})

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        base = self.space.base(self.space.history(batch))
        leads = batch.lead_hours.shape[1]
        changes = self.offset.expand(len(base), leads, -1, *base.shape[-2:])
        physical = self.space.decode(changes, base, batch.lead_hours)
        return physical[:, None].expand(-1, members, -1, -1, -1, -1)
