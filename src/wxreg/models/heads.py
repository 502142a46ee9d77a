"""Parametric heads: systems that know the density that each of their members is drawn from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.ensembles import CheckpointEnsemble
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise

NORMAL_LIKELIHOOD: Final = "gaussian-nll"
LIKELIHOODS: Final = frozenset({NORMAL_LIKELIHOOD, "shifted-gamma-nll"})
"""The losses that teach a spread; each means another density."""


class HeadForecaster(Forecaster):
    """A system that may have a head: a normal density of each cell, in transformed values."""

    @property
    @abstractmethod
    def has_head(self) -> bool:
        """Whether it was built with one."""

    @abstractmethod
    def sample_with_head(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The members of ``sample``, then their means, then their standard deviations.

        ``(B, M, L, 3D, Y, X)``: all targets, all means, all deviations, each in target order.
        """


class WithHead(Forecaster):
    """A system whose samples carry the parameters of its head as further planes."""

    def __init__(self, whole: HeadForecaster) -> None:
        super().__init__(whole.blueprint)
        self.whole = whole

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The loss of the system itself."""
        return self.whole.loss(batch, generator)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Members and parameters ``(B, M, L, 3D, Y, X)``."""
        return self.whole.sample_with_head(batch, members, noise)


def with_head(forecaster: Forecaster) -> Forecaster:
    """The system, or each checkpoint of an ensemble, with its parameters; refused without any."""
    if isinstance(forecaster, CheckpointEnsemble):
        each = forecaster.first(len(forecaster.forecasters))
        return CheckpointEnsemble([with_head(one) for one in each])
    if isinstance(forecaster, HeadForecaster) and forecaster.has_head:
        return WithHead(forecaster).eval()
    raise Incompatible(
        "REG-461",
        "this system has no normal head, so there are no parameters to keep",
        where="sampling.parameters",
        hint=f"train one with a heteroscedastic head and the loss {NORMAL_LIKELIHOOD}, "
        "or leave sampling.parameters false",
    )


def described_heads(blueprint: Blueprint) -> Mapping[str, Mapping[str, Any]]:
    """By channel, the density of a head and the transform of the values that it is a density of."""
    told = {}
    for channel in blueprint.targets:
        numbers = blueprint.statistics[channel.name]
        told[channel.name] = {
            "distribution": "normal",
            "transform": numbers.transform,
            "low": numbers.minimum,
            "high": numbers.maximum,
        }
    return told
