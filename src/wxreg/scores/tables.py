"""Probability scores from the count table of an ensemble.

`table[k, e]` is how often `k` of M members reached the threshold and the event did (e = 1)
or did not (e = 0) happen.  Natural bins: the M + 1 probabilities k/M, nothing coarser.
A table without cases gives NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio

Table = NDArray[Any]
Floats = NDArray[np.float64]


def _probabilities(table: Table) -> Floats:
    return np.asarray(np.arange(table.shape[-2]) / (table.shape[-2] - 1), float)


def brier(table: Table) -> Floats:
    """Mean squared difference of probability and event."""
    p = _probabilities(table)
    total = (table[..., 0] * p**2 + table[..., 1] * (1 - p) ** 2).sum(-1)
    return ratio(total, table.sum((-2, -1)))


def brier_fair(table: Table) -> Floats:
    """The Brier score that an infinite ensemble would expect: less p(1-p)/(M-1).

    NaN for one member.
    """
    p = _probabilities(table)
    size = table.shape[-2] - 1
    if size < 2:
        return np.full(table.shape[:-2], np.nan)
    excess = (table.sum(-1) * p * (1 - p) / (size - 1)).sum(-1)
    return brier(table) - ratio(excess, table.sum((-2, -1)))


def mean_probability(table: Table) -> Floats:
    """Mean forecast probability."""
    return ratio((table.sum(-1) * _probabilities(table)).sum(-1), table.sum((-2, -1)))


def base_rate(table: Table) -> Floats:
    """How often the event happened."""
    return ratio(table[..., 1].sum(-1), table.sum((-2, -1)))


@dataclass(frozen=True)
class BrierParts:
    """brier = reliability - resolution + uncertainty, exactly, on the natural bins."""

    reliability: Floats
    resolution: Floats
    uncertainty: Floats


def brier_decomposition(table: Table) -> BrierParts:
    """Murphy's three terms."""
    p, n = _probabilities(table), table.sum(-1)
    observed = np.nan_to_num(ratio(table[..., 1], n))
    total = n.sum(-1)
    base = ratio(table[..., 1].sum(-1), total)
    return BrierParts(
        ratio((n * (p - observed) ** 2).sum(-1), total),
        ratio((n * (observed - base[..., None]) ** 2).sum(-1), total),
        base * (1 - base),
    )


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: one point a natural bin; `low` and `high` bound chance."""

    probability: Floats
    observed: Floats
    count: Floats
    low: Floats
    high: Floats


def reliability(table: Table, level: float = 0.9) -> Reliability:
    """Observed frequency per probability, with consistency bars (Bröcker and Smith 2007).

    The bars hold the frequencies that a reliable forecast would show with this many
    *independent* cases; neighbouring points are not independent, so read them as narrow.
    An empty bin is NaN.
    """
    from scipy.stats import binom

    p, n = _probabilities(table), np.asarray(table.sum(-1), float)
    tail = (1 - level) / 2
    return Reliability(
        np.broadcast_to(p, n.shape),
        ratio(table[..., 1], n),
        n,
        ratio(binom.ppf(tail, n, p), n),
        ratio(binom.ppf(1 - tail, n, p), n),
    )


def roc_curve(table: Table) -> tuple[Floats, Floats]:
    """POFD and POD of "at least k members", from k = M + 1 (never) down to 0 (always)."""
    never = np.zeros((*table.shape[:-2], 1))
    reached = np.flip(table, -2).cumsum(-2)
    pofd = ratio(reached[..., 0], table[..., 0].sum(-1)[..., None])
    pod = ratio(reached[..., 1], table[..., 1].sum(-1)[..., None])
    return np.concatenate([never, pofd], -1), np.concatenate([never, pod], -1)


def roc_area(table: Table) -> Floats:
    """Area below the ROC polygon; NaN if only events, or only non-events, were seen."""
    x, y = roc_curve(table)
    return np.asarray(np.trapezoid(y, x, axis=-1), float)


def economic_value(table: Table, cost_loss: Floats) -> Floats:
    """Richardson's relative value per cost/loss ratio, of the best probability to act on.

    1 is perfect, 0 no better than the climatological frequency, negative worse; at a ratio
    where climate is already perfect it is NaN.  Shape: (..., ratios).
    """
    pofd, pod = roc_curve(table)
    base = ratio(table[..., 1].sum(-1), table.sum((-2, -1)))[..., None, None]
    a = np.asarray(cost_loss, float)
    expense = base * (1 - pod[..., None]) + a * (
        base * pod[..., None] + (1 - base) * pofd[..., None]
    )
    climate = np.minimum(a, base[..., 0, :])
    perfect = base[..., 0, :] * a
    return ratio(climate - expense.min(-2), climate - perfect)


def rank_reliability_index(ranks: Floats) -> Floats:
    """Sum of |share - 1/(M+1)| over ranks: 0 is flat."""
    share = ratio(ranks, ranks.sum(-1, keepdims=True))
    return np.asarray(np.abs(share - 1 / ranks.shape[-1]).sum(-1), float)
