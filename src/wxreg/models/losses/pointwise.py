"""Losses of one forecast, cell by cell, in scaled values."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from wxreg.errors import Incompatible
from wxreg.models.losses.fields import Fields, masked_mean
from wxreg.models.losses.term import Term
from wxreg.specs.base import FrozenDict, Spec


class WeightedSettings(Spec):
    """How channels count."""

    channels: dict[str, Annotated[float, Field(ge=0)]] = FrozenDict()
    """Weights of channels by name; those not named count 1."""


def weighted(values: Tensor, fields: Fields, weights: dict[str, float]) -> Tensor:
    """The masked mean of ``(B, L, D, Y, X)`` values with a weight for each channel."""
    if weights:
        factors = [weights.get(c.name, weights.get(c.variable, 1.0)) for c in fields.targets]
        values = values * values.new_tensor(factors).reshape(-1, 1, 1)
    return masked_mean(values, fields.mask)


class MeanSquare(Term[WeightedSettings]):
    """Mean squared error: its minimiser is the conditional mean."""

    semantics: ClassVar[int] = 1
    settings_type = WeightedSettings

    def forward(self, fields: Fields) -> Tensor:
        """The loss of a prediction."""
        errors = (fields.prediction - fields.target).square()
        return weighted(errors, fields, self.settings.channels)


class PhysicalMeanSquare(Term[WeightedSettings]):
    """Mean squared error in physical units, in units of the variance that statistics imply.

    A transform bends means: the minimiser of `mse` is the mean of the transformed amount, which
    lies below the mean amount of rain.  The minimiser of this one is the mean amount itself.
    """

    semantics: ClassVar[int] = 2
    settings_type = WeightedSettings

    def forward(self, fields: Fields) -> Tensor:
        """The loss of a prediction."""
        if fields.physical_spread is None:
            raise Incompatible(
                "REG-443",
                "the loss physical-mse needs the spread of physical values, which was not given",
                hint="an architecture gives its losses `Fields(physical_spread=...)`",
            )
        target = torch.where(fields.mask, fields.physical_target, 0.0)
        errors = ((fields.physical - target) / fields.physical_spread).square()
        return weighted(errors, fields, self.settings.channels)


class MeanAbsolute(Term[WeightedSettings]):
    """Mean absolute error: its minimiser is the conditional median."""

    semantics: ClassVar[int] = 1
    settings_type = WeightedSettings

    def forward(self, fields: Fields) -> Tensor:
        """The loss of a prediction."""
        errors = (fields.prediction - fields.target).abs()
        return weighted(errors, fields, self.settings.channels)


class HuberSettings(WeightedSettings):
    """Where squares turn into absolute values."""

    delta: Annotated[float, Field(gt=0)] = 1.0


class Huber(Term[HuberSettings]):
    """Squared near zero and absolute beyond ``delta``, so that rare extremes do not rule."""

    semantics: ClassVar[int] = 1
    settings_type = HuberSettings

    def forward(self, fields: Fields) -> Tensor:
        """The loss of a prediction."""
        errors = functional.huber_loss(
            fields.prediction, fields.target, reduction="none", delta=self.settings.delta
        )
        return weighted(errors, fields, self.settings.channels)
