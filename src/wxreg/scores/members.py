"""Deterministic statistics of every member in one read: errors, moments, contingency counts.

A point where the forecast or the observation is not finite is missing: it counts nowhere.
The mean of an ensemble is scored by passing its map as one member.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.binning import Bins
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]

MOMENTS = (
    "weight",
    "error",
    "abs_error",
    "square_error",
    "forecast",
    "truth",
    "forecast_square",
    "truth_square",
    "product",
)
"""Weighted sums per bin and member; the last five are of values less `origin`."""

HITS, MISSES, FALSE_ALARMS, CORRECT_NEGATIVES = range(4)


@dataclass(frozen=True)
class MemberScores:
    """Errors, moments and contingency counts (hits, misses, false alarms, correct negatives).

    `origin` is taken from both fields before moments are summed; give a typical value
    (273 K) so that squares of large numbers do not swallow small variances.
    State arrays are (bins, members) and, for `contingency` (int64, not weighted) and
    `weighted_contingency`, (bins, members, thresholds, 4).
    """

    thresholds: tuple[float, ...] = ()
    origin: float = 0.0
    threads: int | None = None

    def update(
        self,
        forecast: Field,
        truth: Field,
        weights: NDArray[np.float64] | None = None,
        bins: Bins | None = None,
    ) -> State:
        """The state of one field: `forecast` is (members, y, x) or (y, x)."""
        bins = bins or Bins.whole(truth.shape)
        stack = forecast if forecast.ndim == truth.ndim + 1 else forecast[None]
        dtype = np.float64 if forecast.dtype == np.float64 else np.float32
        rows = np.ascontiguousarray(stack, dtype).reshape(stack.shape[0], -1)
        weight = np.zeros(0) if weights is None else np.ascontiguousarray(weights, float).ravel()
        numbers, moments, counts, weighted = _pass()(
            rows,
            np.ascontiguousarray(truth, dtype).ravel(),
            weight,
            np.ascontiguousarray(bins.index, np.int32).ravel(),
            np.array(self.thresholds, dtype),
            self.origin,
            bins.count,
            self.threads,
        )
        arrays: dict[str, Any] = {name: moments[..., i] for i, name in enumerate(MOMENTS)}
        arrays["contingency"] = counts
        arrays["weighted_contingency"] = counts.astype(float) if weights is None else weighted
        arrays["count"] = numbers
        return State(arrays)


def _pass() -> Any:
    if importlib.util.find_spec("numba") is not None:
        from wxreg.scores.member_kernel import member_pass

        return member_pass
    from wxreg.scores.tiled_members import member_pass

    return member_pass
