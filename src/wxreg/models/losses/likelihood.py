"""Negative log-likelihoods of predicted distributions: the prediction and a logarithmic spread."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.losses.fields import Fields, masked_mean
from wxreg.models.losses.term import Term
from wxreg.specs.base import Spec


class GaussianSettings(Spec):
    """Bounds on the spread, so that one cell cannot rule the loss."""

    smallest: Annotated[float, Field(gt=0)] = 1e-3
    largest: Annotated[float, Field(gt=0)] = 1e3


class GaussianLikelihood(Term[GaussianSettings]):
    """Scaled values are normal with the predicted mean and standard deviation."""

    semantics: ClassVar[int] = 1
    settings_type = GaussianSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean negative log-likelihood in nats."""
        bounds = math.log(self.settings.smallest), math.log(self.settings.largest)
        spread = _spread(fields, "gaussian-nll").clamp(*bounds)
        errors = (fields.prediction - fields.target) * torch.exp(-spread)
        nats = 0.5 * errors.square() + spread + 0.5 * math.log(2 * math.pi)
        return masked_mean(nats, fields.mask)


class ShiftedGammaSettings(Spec):
    """Which variable, and how its gamma distribution is shifted and censored."""

    variable: str
    shift: Annotated[float, Field(gt=0)] = 0.1
    """How far the gamma distribution is moved below zero, in physical units; what then lies
    below zero is the probability of none."""
    dry: Annotated[float, Field(ge=0)] = 0.0
    """Values up to this are none."""
    smallest: Annotated[float, Field(gt=0)] = 1e-3


class CensoredShiftedGamma(Term[ShiftedGammaSettings]):
    """Rain is a gamma variable shifted below zero and censored there (Scheuerer & Hamill 2015).

    The physical prediction is the mean of the unshifted gamma variable minus the shift; the
    spread head gives the logarithm of its standard deviation in physical units.
    """

    semantics: ClassVar[int] = 1
    settings_type = ShiftedGammaSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean negative log-likelihood in nats of the one variable."""
        options = self.settings
        place = fields.place(options.variable, "shifted-gamma-nll")
        spread = _spread(fields, "shifted-gamma-nll")[..., place, :, :].clamp(-7, 7).exp()
        mean = (fields.physical[..., place, :, :] + options.shift).clamp(min=options.smallest)
        shape = (mean / spread).square().clamp(1e-2, 1e3)
        rate = shape / mean
        rain = fields.physical_target[..., place, :, :]
        none = rain <= options.dry
        wet = torch.where(none, torch.ones_like(rain), rain + options.shift)
        density = (
            shape * rate.log() + (shape - 1) * wet.log() - rate * wet - torch.lgamma(shape)
        )  # fmt: skip
        dry = _log_gamma_cdf(shape, rate * (options.shift + options.dry))
        return masked_mean(-torch.where(none, dry, density), fields.mask[..., place, :, :])


def _log_gamma_cdf(shape: Tensor, x: Tensor, terms: int = 40) -> Tensor:
    """Logarithm of the regularised lower incomplete gamma function by its power series.

    ``torch.special.gammainc`` has no gradient in the shape; the series has, and converges for
    the small arguments that a shift makes.
    """
    term = torch.ones_like(x) / shape
    total = term
    for n in range(1, terms):
        term = term * x / (shape + n)
        total = total + term
    value = shape * x.log() - x - torch.lgamma(shape) + total.log()
    return value.clamp(max=-1e-6)


def _spread(fields: Fields, loss: str) -> Tensor:
    if fields.spread is None:
        raise Incompatible(
            "REG-443",
            f"the loss {loss} needs a predicted spread, which this architecture does not have",
            hint="choose an architecture with a heteroscedastic head, or use mse",
        )
    return fields.spread
