"""What networks share that see some frames and give the changes of all leads in one pass."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.residuals import ResidualSpace


class ChangeForecaster(Forecaster):
    """One deterministic forecast, learned in the space of scaled changes."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.space = ResidualSpace(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets)

    @abstractmethod
    def changes(self, batch: Batch, history: Tensor) -> Tensor:
        """The scaled changes ``(B, L, D, Y, X)`` for the normalised history."""

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the scaled changes."""
        history = self.space.history(batch)
        base = self.space.base(history)
        changes = self.changes(batch, history)
        report: LossReport = self.losses(self.space.fields(batch, base, changes))
        return report

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The one forecast, repeated for each member."""
        history = self.space.history(batch)
        changes = self.changes(batch, history)
        physical = self.space.decode(changes, self.space.base(history), batch.lead_hours)
        return physical[:, None].expand(-1, members, -1, -1, -1, -1)
