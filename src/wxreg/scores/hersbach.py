"""CRPS = reliability - resolution + uncertainty (Hersbach 2000), from a mergeable state.

Only points with every member and an observation count.  `alpha` and `beta` are the mean
widths of each gap between sorted members that lie below and above the observation.  The
uncertainty is the CRPS of the observed climate, from a histogram of observations on the
declared `edges`: it is exact for values on the edges and otherwise right to a bin's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
TILE = 8192


class CrpsParts(NamedTuple):
    """crps = reliability + potential; potential = uncertainty - resolution."""

    crps: float
    reliability: float
    resolution: float
    uncertainty: float


@dataclass(frozen=True)
class CrpsDecomposition:
    """State of Hersbach's decomposition; `edges` bound the observed values."""

    edges: tuple[float, ...]

    def update(
        self, forecast: Field, truth: Field, weights: NDArray[np.float64] | None = None
    ) -> State:
        """The state of one field: `forecast` is (members, y, x)."""
        members = forecast.shape[0]
        rows, observed = forecast.reshape(members, -1), truth.ravel()
        weight = np.ones(observed.size) if weights is None else weights.ravel()
        keep = np.isfinite(rows).all(0) & np.isfinite(observed)
        sums = np.zeros((3, members + 1))
        for at in np.array_split(np.flatnonzero(keep), max(1, int(keep.sum()) // TILE)):
            sums += _gaps(rows[:, at].astype(float), observed[at].astype(float), weight[at])
        histogram, _ = np.histogram(observed[keep], self.edges, weights=weight[keep])
        below = weight[keep & (observed < self.edges[0])].sum()
        inside = np.concatenate([[below], histogram])
        return State(
            {
                "alpha": sums[0],
                "beta": sums[1],
                "outlier": sums[2],
                "weight": np.array(weight[keep].sum(), float),
                "count": np.array(keep.sum(), np.int64),
                "climate": inside,
            }
        )

    def parts(self, state: State) -> CrpsParts:
        """The decomposition of everything merged; NaN without a point."""
        weight = float(state["weight"])
        if weight == 0:
            return CrpsParts(*[float("nan")] * 4)
        alpha, beta = state["alpha"] / weight, state["beta"] / weight
        members = alpha.size - 1
        p = np.arange(members + 1) / members
        gap, frequency = _gap_and_frequency(alpha, beta, state["outlier"] / weight)
        crps = float((alpha * p**2 + beta * (1 - p) ** 2).sum())
        reliability = float((gap * (frequency - p) ** 2).sum())
        cdf = np.cumsum(state["climate"]) / weight
        middle = (cdf[:-1] + cdf[1:]) / 2
        uncertainty = float((middle * (1 - middle) * np.diff(self.edges)).sum())
        return CrpsParts(crps, reliability, uncertainty - (crps - reliability), uncertainty)


def _gaps(rows: Field, observed: Field, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    members = rows.shape[0]
    ordered = np.sort(rows, axis=0)
    out = np.zeros((3, members + 1))
    low, high = ordered[:-1], ordered[1:]
    out[0, 1:-1] = (np.clip(observed - low, 0, high - low) * weight).sum(1)
    out[1, 1:-1] = (np.clip(high - observed, 0, high - low) * weight).sum(1)
    out[1, 0] = (np.maximum(ordered[0] - observed, 0) * weight).sum()
    out[0, -1] = (np.maximum(observed - ordered[-1], 0) * weight).sum()
    out[2, 0] = weight[observed < ordered[0]].sum()
    out[2, -1] = weight[observed > ordered[-1]].sum()
    return out


def _gap_and_frequency(
    alpha: NDArray[np.float64], beta: NDArray[np.float64], outlier: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean width of each gap, and how often the observation lay below its middle."""
    gap = alpha + beta
    frequency = np.nan_to_num(ratio(beta, gap))
    frequency[0] = outlier[0]
    frequency[-1] = 1 - outlier[-1]
    gap[0] = np.nan_to_num(ratio(beta[0], outlier[0]))
    gap[-1] = np.nan_to_num(ratio(alpha[-1], outlier[-1]))
    return gap, frequency
