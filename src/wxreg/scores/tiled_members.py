"""The member pass in plain NumPy: for machines without numba, and for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def member_pass(
    forecast: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    origin: float,
    bins: int,
    threads: int | None,
) -> tuple[NDArray[Any], ...]:
    """What the compiled pass gives, one member at a time."""
    members = forecast.shape[0]
    numbers = np.zeros((bins, members), np.int64)
    moments = np.zeros((bins, members, 9))
    counts = np.zeros((bins, members, thresholds.size, 4), np.int64)
    weighted = np.zeros(counts.shape)
    for member, row in enumerate(forecast):
        keep = np.isfinite(row) & np.isfinite(truth) & (index >= 0)
        x, y, at = row[keep], truth[keep], index[keep]
        numbers[:, member] = np.bincount(at, minlength=bins)
        w = weights[keep] if weights.size else np.ones(x.size)
        for column, values in enumerate(_terms(x.astype(float), y.astype(float), origin)):
            moments[:, member, column] = np.bincount(at, w * values, bins)
        for t, threshold in enumerate(thresholds):
            cell = at * 4 + _outcome(x >= threshold, y >= threshold)
            counts[:, member, t] = np.bincount(cell, minlength=4 * bins).reshape(bins, 4)
            weighted[:, member, t] = np.bincount(cell, w, 4 * bins).reshape(bins, 4)
    return numbers, moments, counts, weighted


def _terms(x: Floats, y: Floats, origin: float) -> list[Floats]:
    error, a, b = x - y, x - origin, y - origin
    return [np.ones_like(x), error, np.abs(error), error**2, a, b, a * a, b * b, a * b]


def _outcome(forecast: NDArray[np.bool_], observed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """0 hit, 1 miss, 2 false alarm, 3 correct negative."""
    return np.where(observed, np.where(forecast, 0, 1), np.where(forecast, 2, 3))
