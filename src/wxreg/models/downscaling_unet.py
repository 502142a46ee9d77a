"""`unet-era5`: a U-Net that sharpens several variables jointly, over bilinear interpolation.

With a heteroscedastic head it also says how sure it is of each cell: the logarithm of a
standard deviation in normalised units, which likelihood losses train.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.downscaling_network import DownscalingNetwork
from wxreg.models.downscaling_settings import DownscalingSettings
from wxreg.models.downscaling_space import DownscalingSpace, for_members
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.settings import parse_settings
from wxreg.models.stochastic_layers import GeneratorNoise


class DownscalingUNet(Forecaster):
    """The deterministic member of the family, and what its Bayesian relatives build on."""

    semantics: ClassVar[int] = 1
    settings_type: ClassVar[type[DownscalingSettings]] = DownscalingSettings
    own_terms: ClassVar[tuple[str, ...]] = ()
    alive: ClassVar[bool] = False
    """Whether the network draws when members are sampled."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.settings = parse_settings(
            self.settings_type, blueprint.settings, blueprint.architecture
        )
        self.space = DownscalingSpace(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets, own=self.own_terms)
        heads = 2 if self.settings.heteroscedastic else 1
        self.network = self.make_network(self.space.planes_count, heads * len(blueprint.targets))

    def make_network(self, inputs: int, outputs: int) -> DownscalingNetwork:
        """The network that the settings describe."""
        return DownscalingNetwork(
            inputs, outputs, base=self.settings.base, levels=self.settings.levels
        )

    def predict(self, planes: Tensor, noise: Noise | None) -> tuple[Tensor, Tensor | None]:
        """Departures from interpolation and, if there is such a head, their log spread."""
        output = self.network(planes, noise)
        if not self.settings.heteroscedastic:
            return output, None
        departures, spread = output.chunk(2, dim=1)
        return departures, spread - 1.0

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the departures."""
        base = self.space.base(batch)
        noise = GeneratorNoise(generator) if self.alive else None
        departures, spread = self.predict(self.space.planes(batch), noise)
        report: LossReport = self.losses(
            self.space.fields(batch, base, departures, spread), self.own_losses()
        )
        return report

    def own_losses(self) -> dict[str, Tensor]:
        """Terms that only this architecture can compute."""
        return {}

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Members differ where the network is alive or its declared spread is drawn from."""
        planes = for_members(self.space.planes(batch), members)
        base = for_members(self.space.base(batch), members)
        departures, spread = self.predict(planes, noise if self.alive else None)
        if self.settings.aleatoric and spread is not None:
            draws = noise.normal(tuple(departures.shape[1:]), departures)
            departures = departures + spread.exp() * draws
        physical = self.space.decode(departures, base)
        return torch.unflatten(physical, 0, (-1, members))[:, :, None]
