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

    def update(self, mean: Field, spread: Field, truth: Field) -> State:
        """The state of one field; values beyond the edges fall in the outer bins."""
        keep = np.isfinite(mean) & np.isfinite(spread) & np.isfinite(truth)
        s = spread[keep].astype(float)
        e = np.abs(mean[keep].astype(float) - truth[keep])
        at = np.clip(np.searchsorted(self.edges, s, "right") - 1, 0, len(self.edges) - 2)
        bins = len(self.edges) - 1
        moments = [s.size, s.sum(), e.sum(), (s * s).sum(), (e * e).sum(), (s * e).sum()]
        return State(
            {
                "count": np.bincount(at, minlength=bins).astype(np.int64),
                "variance": np.bincount(at, s * s, bins),
                "square_error": np.bincount(at, e * e, bins),
                "moments": np.array(moments, float),
            }
        )


def spread_curve(state: State) -> SpreadCurve:
    """The binned curve: a calibrated ensemble follows the diagonal.  Empty bins are NaN."""
    count = np.asarray(state["count"], float)
    return SpreadCurve(
        np.sqrt(ratio(state["variance"], count)),
        np.sqrt(ratio(state["square_error"], count)),
        count,
    )


def spread_error_correlation(state: State) -> float:
    """Pearson correlation of spread and absolute error; NaN if either is constant."""
    n, s, e, ss, ee, se = state["moments"]
    return float(correlation(n, s, e, ss, ee, se))


def correlation(n: Any, a: Any, b: Any, aa: Any, bb: Any, ab: Any) -> Floats:
    """Pearson correlation from sums; NaN if a variance is nothing but rounding.

    That is: below 1e-12 of the mean square.
    """
    va, vb = ratio(aa, n) - ratio(a, n) ** 2, ratio(bb, n) - ratio(b, n) ** 2
    flat = (va <= 1e-12 * ratio(aa, n)) | (vb <= 1e-12 * ratio(bb, n))
    covariance = ratio(ab, n) - ratio(a, n) * ratio(b, n)
    return ratio(covariance, np.sqrt(np.where(flat, 0, va * vb)))
