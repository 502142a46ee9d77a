"""BCSD: correct the bias on the coarse grid, interpolate the anomalies, put the fine climate back.

Amounts (targets with a wet threshold) use ratios to the climate, other variables differences.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from wxreg.models.baselines.baseline import last_real, real_values
from wxreg.models.baselines.interpolation import interpolate_real
from wxreg.models.baselines.quantile_mapping import QuantileMapping
from wxreg.models.convolution_blocks import block_mean
from wxreg.models.forecaster import Batch, Blueprint, Noise

_SMALLEST_CLIMATE = 1e-3


class BCSD(QuantileMapping):
    """Quantile mapping between coarse climates, then spatial disaggregation."""

    climate: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        shape = (len(blueprint.targets), *blueprint.target_shape)
        self.register_buffer("climate", torch.full(shape, torch.nan))

    def table_shape(self) -> tuple[int, int]:
        """Distributions are compared on the coarse grid."""
        return self.blueprint.input_shape

    def modelled(self, batch: Batch) -> Tensor:
        """The coarse fields as they are."""
        return last_real(batch, self.places)

    def truth(self, batch: Batch) -> Tensor:
        """The targets averaged onto the coarse grid; a block with a missing cell is missing."""
        return block_mean(super().truth(batch), self.factor)

    def learn(self, batches: Iterable[Batch]) -> None:
        """Collect the coarse distributions and the fine climate."""
        kept = list(batches)
        super().learn(kept)
        fine = [
            real_values(batch.target, batch.target_mask)[:, 0]
            for batch in kept
            if batch.target is not None and batch.target_mask is not None
        ]
        self.climate.copy_(torch.cat(fine).nanmean(dim=0))

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members."""
        fine = self.disaggregate(self.correct(self.modelled(batch)))
        return fine[:, None, None].repeat(1, members, self.blueprint.leads, 1, 1, 1)

    def disaggregate(self, coarse: Tensor) -> Tensor:
        """Corrected coarse fields ``(B, D, y, x)`` on the fine grid."""
        climate = block_mean(self.climate[None], self.factor)[0]
        planes = []
        for place, wet in enumerate(self.wet):
            mean, fine_mean = climate[place], self.climate[place]
            if wet is None:
                anomaly = interpolate_real((coarse[:, place] - mean)[:, None], self.factor)[:, 0]
                planes.append(fine_mean + anomaly)
            else:
                ratio = (coarse[:, place] / mean.clamp(min=_SMALLEST_CLIMATE))[:, None]
                planes.append(fine_mean * interpolate_real(ratio, self.factor)[:, 0])
        return torch.stack(planes, dim=1)
