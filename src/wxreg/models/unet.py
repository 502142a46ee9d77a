"""`unet`: a deterministic U-Net that predicts the scaled change over each lead."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.conditional_unet import ConditionalUNet, check_divides, pad_fields
from wxreg.models.conditioning import Conditioning
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.residuals import ResidualSpace
from wxreg.models.settings import UNetSettings, parse_settings


class UNet(Forecaster):
    """One deterministic forecast per lead; several leads are several passes of one network."""

    semantics: ClassVar[int] = 1

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        settings = parse_settings(UNetSettings, blueprint.settings, blueprint.architecture)
        self.multiple = 2**settings.depth
        if settings.pad == "refuse":
            check_divides(blueprint.target_shape, self.multiple, "the depth of the U-Net")
        self.space = ResidualSpace(blueprint)
        self.conditioning = Conditioning(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets)
        self.network = ConditionalUNet(
            self.conditioning.planes,
            len(blueprint.targets),
            base=settings.base,
            depth=settings.depth,
            blocks=settings.blocks,
            widest=settings.widest,
            scalars=self.conditioning.scalars,
        )

    def changes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The predicted scaled changes ``(B, L, D, Y, X)`` and the base they are added to."""
        history = self.space.history(batch)
        planes, scalars = self.conditioning(batch, history)
        rows, columns = planes.shape[-2:]
        raw = self.network(pad_fields(planes, self.multiple), scalars)[..., :rows, :columns]
        return raw.reshape(*batch.lead_hours.shape, *raw.shape[1:]), self.space.base(history)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the scaled changes."""
        changes, base = self.changes(batch)
        report: LossReport = self.losses(self.space.fields(batch, base, changes))
        return report

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The one forecast, repeated for each member."""
        changes, base = self.changes(batch)
        physical = self.space.decode(changes, base, batch.lead_hours)
        return physical[:, None].expand(-1, members, -1, -1, -1, -1)
