"""The log-likelihood of forecasts whose members each bring the density they were drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.likelihood import loglik_state
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NormalHead:
    """A density that is normal in transformed values; ``low`` and ``high`` end their range.

    It goes on beyond the ends: what lies there is not gathered into a probability of the end.
    """

    transform: str = "identity"
    low: float | None = None
    high: float | None = None

    def loglik(self, mean: Field, deviation: Field, truth: Field) -> Floats:
        """Log density of physical values per point, of the mixture of the members.

        Mean and deviation are ``(M, Y, X)``.  Members without both are left out; NaN where none
        is left, where the truth is missing, and where the transform has no slope.
        """
        value, log_slope = self._transformed(np.asarray(truth, float))
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.asarray(deviation, float)
            present = np.isfinite(mean) & np.isfinite(spread) & (spread > 0)
            exponent = -0.5 * ((value - mean) / spread) ** 2 - np.log(spread)
            exponent = np.where(present, exponent, -np.inf)
            top = np.where(present.any(0), exponent.max(0), np.nan)
            total = np.log(np.exp(exponent - top).sum(0)) + top
            count = present.sum(0)
            found = total - np.log(count) - 0.5 * np.log(2 * np.pi) + log_slope
        return np.where(np.isfinite(found), found, np.nan)

    def state(
        self, mean: Field, deviation: Field, truth: Field, weights: Floats | None = None
    ) -> State:
        """The state of one field, or of some of its rows."""
        return loglik_state(self.loglik(mean, deviation, truth), weights)

    def _transformed(self, truth: Floats) -> tuple[Floats, Floats]:
        """The transformed truth, and the logarithm of the slope of the transform there."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.transform == "identity":
                return truth, np.where(np.isfinite(truth), 0.0, np.nan)
            if self.transform == "clip":
                return truth, np.where((truth >= low) & (truth <= high), 0.0, np.nan)
            if self.transform == "log1p":
                inside = np.where(truth >= 0, truth, np.nan)
                return np.log1p(inside), -np.log1p(inside)
            if self.transform == "sqrt":
                inside = np.where(truth > 0, truth, np.nan)
                return np.sqrt(inside), -np.log(2 * np.sqrt(inside))
            if self.transform == "logit":
                share = (truth - low) / (high - low)
                share = np.where((share > 0) & (share < 1), share, np.nan)
                slope = -np.log(share) - np.log1p(-share) - np.log(high - low)
                return np.log(share / (1 - share)), slope
        raise ValueError(f"no density is known for the transform {self.transform!r}")
