"""Statistics of single cells whose kernels know no bins: they are given one atom at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.settings import declared, setting
from wxreg.scores.hersbach import CrpsDecomposition
from wxreg.scores.likelihood import EnsembleLogLikelihood
from wxreg.scores.quantiles import PairedDistribution, QuantileLoss
from wxreg.scores.spread_error import SpreadError, mean_and_spread
from wxreg.scores.states import State
from wxreg.specs.protocol import Protocol
from wxreg.specs.variables import Variable

Field = NDArray[np.floating[Any]]
Weights = NDArray[np.float64]
Cellwise = Callable[[Field, Field, Weights | None], State]
"""The state of an ensemble ``(members, y, x)`` and the truth ``(y, x)``; NaN is left out."""

SPREAD_EDGES: Final = (0.0, *(2.0 ** (step / 2) for step in range(-20, 21)))
"""Half octaves of spread, from a thousandth to a thousand units."""


def _quantile_loss(protocol: Protocol, variable: Variable) -> Cellwise:
    return QuantileLoss(declared(protocol, "quantile_loss", variable).levels).update


def _distribution(protocol: Protocol, variable: Variable) -> Cellwise:
    return PairedDistribution(declared(protocol, "distribution", variable).edges).update


def _mean_distribution(protocol: Protocol, variable: Variable) -> Cellwise:
    paired = PairedDistribution(declared(protocol, "mean_distribution", variable).edges)
    return lambda made, real, weights: paired.update(mean_and_spread(made)[0][None], real)


def _crps_decomposition(protocol: Protocol, variable: Variable) -> Cellwise:
    return CrpsDecomposition(declared(protocol, "crps_decomposition", variable).edges).update


def _loglik(protocol: Protocol, variable: Variable) -> Cellwise:
    bandwidth = setting(protocol, "loglik", "bandwidth", None, variable.id)
    return EnsembleLogLikelihood(bandwidth).update


def _loglik_gaussian(protocol: Protocol, variable: Variable) -> Cellwise:
    return EnsembleLogLikelihood(form="gaussian").update


def spread_edges(protocol: Protocol, variable: str) -> tuple[float, ...]:
    """The edges of the bins of spread."""
    return tuple(setting(protocol, "spread_error", "edges", SPREAD_EDGES, variable))


def _spread_error(protocol: Protocol, variable: Variable) -> Cellwise:
    return SpreadError(spread_edges(protocol, variable.id)).of_members


CELLWISE: Final[dict[str, Callable[[Protocol, Variable], Cellwise]]] = {
    "quantile_loss": _quantile_loss,
    "distribution": _distribution,
    "mean_distribution": _mean_distribution,
    "crps_decomposition": _crps_decomposition,
    "loglik": _loglik,
    "loglik_gaussian": _loglik_gaussian,
    "spread_error": _spread_error,
}
ENSEMBLE_ONLY: Final = frozenset(
    {"crps_decomposition", "loglik", "loglik_gaussian", "spread_error"}
)
"""Statistics that a single member has none of."""
