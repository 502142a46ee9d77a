"""`harpnet`: precipitation from 0.25° to finer grids, tile by tile.

The network normalises each place alone, so nothing of a tile's extent or content reaches far
cells, and stitched tiles agree.  The continuity term asks that two overlapping parts of a tile
say the same about the cells they share.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.downscaling_settings import HarpnetSettings
from wxreg.models.downscaling_space import DownscalingSpace
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.harpnet_network import HarpNetwork
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.losses.fields import masked_mean
from wxreg.models.settings import parse_settings
from wxreg.models.stochastic_layers import GeneratorNoise

CONTINUITY = "continuity"


class Harpnet(Forecaster):
    """One deterministic fine field; an ensemble of its checkpoints is `harpnet-e`."""

    semantics: ClassVar[int] = 1

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        settings = parse_settings(HarpnetSettings, blueprint.settings, blueprint.architecture)
        self.halo = settings.halo
        self.space = DownscalingSpace(blueprint)
        self.continuous = any(term.name == CONTINUITY for term in blueprint.losses)
        own = (CONTINUITY,) if self.continuous else ()
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets, own=own)
        self.network = HarpNetwork(
            self.space.planes_count,
            len(blueprint.targets),
            base=settings.base,
            levels=settings.levels,
            dropout=settings.dropout,
        )

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses inside the halo, with dropout."""
        planes, base = self.space.planes(batch), self.space.base(batch)
        predicted = self.network(planes, GeneratorNoise(generator))
        fields = self.space.fields(batch, base, predicted, halo=self.halo)
        own = {CONTINUITY: self.disagreement(planes, fields.mask[:, 0])} if self.continuous else {}
        report: LossReport = self.losses(fields, own)
        return report

    def disagreement(self, planes: Tensor, mask: Tensor) -> Tensor:
        """How much the left and right three quarters of a tile differ where they overlap."""
        width = planes.shape[-1]
        reach = 3 * width // 4
        start = width - reach
        left = self.network(planes[..., :reach])[..., start:]
        right = self.network(planes[..., start:])[..., : reach - start]
        return masked_mean((left - right).square(), mask[..., start:reach])

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The one field, repeated for each member."""
        departures = self.network(self.space.planes(batch))
        physical = self.space.decode(departures, self.space.base(batch))
        return physical[:, None, None].expand(-1, members, -1, -1, -1, -1)
