"""Confidence intervals and paired tests by block bootstrap over days.

Fields of one day resemble each other, so a day is the block: days are drawn with
replacement, their states merged, and the metric finished on each draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.states import Array, State

Finish = Callable[[State], float]


class Interval(NamedTuple):
    """A value and its bounds; NaN bounds with fewer than two days."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """Forecast less baseline, its bounds, and the two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    p_value: float


def confidence(
    days: Sequence[State], finish: Finish, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The metric over all days with percentile bounds."""
    value = finish(_weighted(days, np.ones(len(days), np.int64)))
    values = np.array([finish(_weighted(days, n)) for n in _draws(len(days), draws, seed)])
    low, high = _bounds(values, level)
    return Interval(value, low, high)


def paired_difference(
    forecast: Sequence[State],
    baseline: Sequence[State],
    finish: Finish,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Forecast less baseline; both are drawn on the same days, in the same order."""
    if len(forecast) != len(baseline):
        raise ValueError(f"{len(forecast)} days against {len(baseline)}: pair them first")

    def gap(counts: NDArray[np.int64]) -> float:
        return finish(_weighted(forecast, counts)) - finish(_weighted(baseline, counts))

    value = gap(np.ones(len(forecast), np.int64))
    values = np.array([gap(n) for n in _draws(len(forecast), draws, seed)])
    low, high = _bounds(values, level)
    known = values[np.isfinite(values)]
    if known.size == 0:
        return Difference(value, low, high, float("nan"))
    side = min((known <= 0).sum(), (known >= 0).sum())
    return Difference(value, low, high, float(min(1.0, 2 * (side + 1) / (known.size + 1))))


def skill(score: float, baseline: float, perfect: float = 0.0) -> float:
    """1 is perfect, 0 no better than the baseline, negative worse; NaN for a perfect baseline.

    The sign is the same whether the metric should be low (CRPS, perfect 0) or high (CSI,
    perfect 1).
    """
    if baseline == perfect:
        return float("nan")
    return (score - baseline) / (perfect - baseline)


def _draws(days: int, draws: int, seed: int) -> list[NDArray[np.int64]]:
    """How often each day is drawn; nothing to draw from fewer than two days."""
    if days < 2:
        return []
    random = np.random.default_rng(seed)
    return [np.bincount(random.integers(days, size=days), minlength=days) for _ in range(draws)]


def _weighted(days: Sequence[State], counts: NDArray[np.int64]) -> State:
    """The state of days merged as often as each was drawn."""
    if not days:
        return State()
    drawn = [day for day, n in zip(days, counts, strict=True) if n]
    maxima = drawn[0].maxima
    arrays: dict[str, Array] = {}
    for name in drawn[0].arrays:
        stack = np.stack([day[name] for day in drawn])
        if name in maxima:
            arrays[name] = stack.max(0)
        else:
            arrays[name] = np.tensordot(counts[counts > 0].astype(stack.dtype), stack, 1)
    return State(arrays, maxima)


def _bounds(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if known.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
