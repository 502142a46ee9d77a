"""`radar-unet` and `radar-resunet`: radar drawn from satellite frames of the same time.

The output is a normalised value whose inverse transform gives kg/m²; there is no squashing of
byte codes.  Perceptual and other losses are declared beside the pointwise one.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.losses.fields import Fields
from wxreg.models.normalising import Normaliser
from wxreg.models.nowcasting_settings import RadarUNetSettings
from wxreg.models.radar_unet_networks import RadarUNet
from wxreg.models.settings import parse_settings


class RadarSynthesis(Forecaster):
    """The basic U-Net: satellite (and lightning) in, radar out."""

    semantics: ClassVar[int] = 1
    residual: ClassVar[bool] = False

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        settings = parse_settings(RadarUNetSettings, blueprint.settings, blueprint.architecture)
        self.inputs = Normaliser(blueprint.inputs, blueprint.numbers_of_inputs)
        self.targets = Normaliser(blueprint.targets, blueprint.statistics)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets)
        self.network = RadarUNet(
            blueprint.history * len(blueprint.inputs),
            blueprint.leads * len(blueprint.targets),
            base=settings.base,
            levels=settings.levels,
            residual=self.residual,
        )

    def predict(self, batch: Batch) -> Tensor:
        """The normalised radar fields ``(B, L, D, Y, X)``."""
        frames = self.inputs.normalise(batch.inputs, batch.input_mask).flatten(1, 2)
        return torch.unflatten(self.network(frames), 1, (self.blueprint.leads, -1))

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the normalised fields."""
        if batch.target is None or batch.target_mask is None:
            raise ValueError("this batch has no target to learn from")
        mask = batch.target_mask & torch.isfinite(batch.target)
        target = self.targets.normalise(batch.target, mask)
        fields = Fields(
            self.predict(batch),
            target,
            mask,
            self.blueprint.targets,
            self.targets.invert,
            physical_spread=self.targets.physical_spread,
        )
        report: LossReport = self.losses(fields)
        return report

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The one field, repeated for each member."""
        physical = self.targets.invert(self.predict(batch))
        return physical[:, None].expand(-1, members, -1, -1, -1, -1)


class ResidualRadarSynthesis(RadarSynthesis):
    """The deeper U-Net with residual blocks; its settings usually say five levels."""

    residual: ClassVar[bool] = True
