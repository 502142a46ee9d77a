"""Spatial correlation: of each field by itself, then averaged over fields."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.spread_error import correlation
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]


def pattern_state(
    forecast: Field, truth: Field, weights: NDArray[np.float64] | None = None
) -> State:
    """Pearson correlation over the points of one pair of fields; missing in either, left out.

    A field that is constant, or without a point, has none: it counts in `undefined`.
    """
    keep = np.isfinite(forecast) & np.isfinite(truth)
    a, b = forecast[keep].astype(float), truth[keep].astype(float)
    w = np.ones(a.size) if weights is None else weights[keep]
    if a.size:
        a, b = a - np.average(a, weights=w), b - np.average(b, weights=w)
    sums = [w.sum(), *((w * part).sum() for part in (a, b, a * a, b * b, a * b))]
    value = float(correlation(*sums)) if not _flat(forecast[keep], a, b, truth[keep]) else np.nan
    known = bool(np.isfinite(value))
    return State(
        {
            "sum": np.array(value if known else 0.0, float),
            "count": np.array(int(known), np.int64),
            "undefined": np.array(int(not known), np.int64),
        }
    )


def _flat(forecast: Field, a: Field, b: Field, truth: Field) -> bool:
    """Whether departures are nothing but rounding of the values."""
    pairs = ((forecast, a), (truth, b))
    return any(
        not departure.size or np.abs(departure).max() <= 1e-6 * np.abs(values).max()
        for values, departure in pairs
    )
