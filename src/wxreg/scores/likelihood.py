"""Log-likelihoods: of a Gaussian forecast, and of an ensemble dressed with a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.spread_error import mean_and_spread
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


def gaussian_loglik(mean: Field, sigma: Field, truth: Field) -> Floats:
    """Log density of the truth per point; NaN where `sigma` is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.where(np.asarray(sigma) > 0, np.asarray(sigma, float), np.nan)
        return np.asarray(
            -0.5 * np.log(2 * np.pi) - np.log(s) - 0.5 * ((truth - mean) / s) ** 2, float
        )


def gaussian_crps(mean: Field, sigma: Field, truth: Field) -> Floats:
    """CRPS of a Gaussian forecast (Gneiting 2005); NaN where `sigma` is not positive."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.where(np.asarray(sigma) > 0, np.asarray(sigma, float), np.nan)
        z = (np.asarray(truth, float) - mean) / s
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        return np.asarray(s * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)), float)


def kernel_loglik(forecast: Field, truth: Field, bandwidth: float | None = None) -> Floats:
    """Log density of the truth under a Gaussian kernel on every member.

    The bandwidth is Silverman's 1.06 s m^(-1/5) with the spread s at the point, unless it
    is given.  NaN for fewer than two members or no spread (then give a bandwidth).
    """
    members = np.asarray(forecast, float)
    present = np.isfinite(members)
    m = present.sum(0)
    some = np.where(m > 0, m, 1)
    mean = np.where(present, members, 0).sum(0) / some
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.where(present, (members - mean) ** 2, 0).sum(0) / (m - 1))
        h = 1.06 * spread * some**-0.2 if bandwidth is None else np.full(m.shape, bandwidth)
        h = np.where((h > 0) & (m > 0), h, np.nan)
        exponent = np.where(present, -0.5 * ((truth - members) / h) ** 2, -np.inf)
        top = exponent.max(0)
        total = np.log(np.exp(exponent - top).sum(0)) + top
        return np.asarray(total - np.log(m * h * np.sqrt(2 * np.pi)), float)


@dataclass(frozen=True)
class EnsembleLogLikelihood:
    """Mean log-likelihood over points; points where it is undefined are counted apart.

    Of a Gaussian kernel on every member, or of one Gaussian with their mean and spread.
    """

    bandwidth: float | None = None
    form: Literal["kernel", "gaussian"] = "kernel"

    def update(
        self, forecast: Field, truth: Field, weights: NDArray[np.float64] | None = None
    ) -> State:
        """The state of one field."""
        if self.form == "gaussian":
            values = gaussian_loglik(*mean_and_spread(forecast), truth)
        else:
            values = kernel_loglik(forecast, truth, self.bandwidth)
        return loglik_state(values, weights)


def loglik_state(values: Floats, weights: NDArray[np.float64] | None = None) -> State:
    """The state of log densities per point; where they are undefined, points are counted apart."""
    known = np.isfinite(values)
    w = np.ones(values.shape) if weights is None else weights
    return State(
        {
            "loglik": np.array((values[known] * w[known]).sum(), float),
            "weight": np.array(w[known].sum(), float),
            "count": np.array(known.sum(), np.int64),
            "undefined": np.array((~known).sum(), np.int64),
        }
    )
