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
from wxreg.models.forecaster import Batch, Blueprint, LossReport, Noise
from wxreg.models.heads import LIKELIHOODS, NORMAL_LIKELIHOOD, HeadForecaster
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.settings import parse_settings
from wxreg.models.stochastic_layers import GeneratorNoise


class DownscalingUNet(HeadForecaster):
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
        noise = GeneratorNoise(generator)
        departures, spread = self.predict(self.space.planes(batch), noise if self.alive else None)
        fields = self.space.fields(
            batch, base, departures, spread, drawn=lambda: self.draw(departures, spread, noise)
        )
        report: LossReport = self.losses(fields, self.own_losses())
        return report

    def draw(self, departures: Tensor, spread: Tensor | None, noise: Noise) -> Tensor:
        """Departures with a draw of the declared spread, where members carry one."""
        if spread is None or not self.settings.aleatoric:
            return departures
        return departures + spread.exp() * noise.normal(tuple(departures.shape[1:]), departures)

    def own_losses(self) -> dict[str, Tensor]:
        """Terms that only this architecture can compute."""
        return {}

    @property
    def has_head(self) -> bool:
        """Whether a normal likelihood, and no other, taught the spread."""
        taught = {term.name for term in self.blueprint.losses} & LIKELIHOODS
        return self.settings.heteroscedastic and taught == {NORMAL_LIKELIHOOD}

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Members differ where the network is alive or its declared spread is drawn from."""
        return self._drawn(batch, members, noise)[0]

    def sample_with_head(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The same members, and the normal density of transformed values behind each."""
        physical, base, departures, spread = self._drawn(batch, members, noise)
        if spread is None:
            raise ValueError("this network has no heteroscedastic head")
        numbers = self.space.targets
        mean, deviation = (
            (base + departures) * numbers.std + numbers.mean,
            spread.exp() * numbers.std,
        )
        return torch.cat([physical, *(_by_member(each, members) for each in (mean, deviation))], 3)

    def _drawn(
        self, batch: Batch, members: int, noise: Noise
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Members ``(B, M, 1, D, Y, X)``; interpolation, departures and log spread of each."""
        planes = for_members(self.space.planes(batch), members)
        base = for_members(self.space.base(batch), members)
        departures, spread = self.predict(planes, noise if self.alive else None)
        drawn = self.draw(departures, spread, noise)
        return _by_member(self.space.decode(drawn, base), members), base, departures, spread


def _by_member(fields: Tensor, members: int) -> Tensor:
    """Rows ``(B*M, D, Y, X)`` as samples of one lead ``(B, M, 1, D, Y, X)``."""
    return torch.unflatten(fields, 0, (-1, members))[:, :, None]
