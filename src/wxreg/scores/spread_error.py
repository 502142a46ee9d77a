"""Does spread know the error?  Correlation, and the error in bins of spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


class SpreadCurve(NamedTuple):
    """Root mean spread and root mean squared error per bin, with counts."""

    spread: Floats
    error: Floats
    points: Floats


@dataclass(frozen=True)
class SpreadError:
    """From maps of the ensemble mean and spread, in bins between `edges` of spread."""

    edges: tuple[float, ...]

    def update(
        self, mean: Field, spread: Field, truth: Field, weights: Floats | None = None
    ) -> State:
        """The state of one field; values beyond the edges fall in the outer bins."""
        keep = np.isfinite(mean) & np.isfinite(spread) & np.isfinite(truth)
        s = spread[keep].astype(float)
        e = np.abs(mean[keep].astype(float) - truth[keep])
        w = np.ones(s.size) if weights is None else weights[keep]
        at = np.clip(np.searchsorted(self.edges, s, "right") - 1, 0, len(self.edges) - 2)
        bins = len(self.edges) - 1
        moments = [(w * term).sum() for term in (np.ones(s.size), s, e, s * s, e * e, s * e)]
        return State(
            {
                "count": np.bincount(at, minlength=bins).astype(np.int64),
                "weight": np.bincount(at, w, bins).astype(float),
                "variance": np.bincount(at, w * s * s, bins).astype(float),
                "square_error": np.bincount(at, w * e * e, bins).astype(float),
                "moments": np.array(moments, float),
            }
        )

    def of_members(self, forecast: Field, truth: Field, weights: Floats | None = None) -> State:
        """The state of an ensemble (members, y, x); a point needs two members present."""
        mean, spread = mean_and_spread(forecast)
        return self.update(mean, spread, truth, weights)


def mean_and_spread(forecast: Field) -> tuple[Floats, Floats]:
    """Mean and standard deviation (m - 1) of the members present; NaN for none, or for one."""
    present = np.isfinite(forecast)
    members, size = np.where(present, forecast, 0).astype(float), present.sum(0)
    mean = ratio(members.sum(0), size)
    departures = np.where(present, members - np.nan_to_num(mean), 0)
    variance = ratio((departures**2).sum(0), np.maximum(size - 1, 0))
    return mean, np.sqrt(variance)


def spread_curve(state: State) -> SpreadCurve:
    """The binned curve: a calibrated ensemble follows the diagonal.  Empty bins are NaN."""
    weight = state["weight"]
    return SpreadCurve(
        np.sqrt(ratio(state["variance"], weight)),
        np.sqrt(ratio(state["square_error"], weight)),
        np.asarray(state["count"], float),
    )


def spread_error_correlation(state: State) -> Floats:
    """Pearson correlation of spread and absolute error; NaN if either is constant."""
    return correlation(*np.moveaxis(state["moments"], -1, 0))


def correlation(n: Any, a: Any, b: Any, aa: Any, bb: Any, ab: Any) -> Floats:
    """Pearson correlation from sums; NaN if a variance is nothing but rounding.

    That is: below 1e-12 of the mean square.
    """
    va, vb = ratio(aa, n) - ratio(a, n) ** 2, ratio(bb, n) - ratio(b, n) ** 2
    flat = (va <= 1e-12 * ratio(aa, n)) | (vb <= 1e-12 * ratio(bb, n))
    covariance = ratio(ab, n) - ratio(a, n) * ratio(b, n)
    return ratio(covariance, np.sqrt(np.where(flat, 0, va * vb)))
