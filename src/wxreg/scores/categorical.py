"""Scores of yes/no events from counts of hits, misses, false alarms and correct negatives.

An event is a value at or above the threshold.  Every function takes counts whose last axis
is (hits, misses, false alarms, correct negatives) and returns NaN where it is 0/0.  Pool
counts by merging states before finishing; averaging finished scores is another metric.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
Floats = NDArray[np.float64]


def ratio(numerator: Any, denominator: Any) -> Floats:
    """A quotient that is NaN, without a warning, for a zero denominator."""
    top, bottom = np.asarray(numerator, float), np.asarray(denominator, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(bottom == 0, np.nan, top / bottom), float)


def _split(counts: Counts) -> tuple[Floats, Floats, Floats, Floats]:
    h, m, f, c = np.moveaxis(np.asarray(counts, float), -1, 0)
    return h, m, f, c


def csi(counts: Counts) -> Floats:
    """Critical success index: hits of all events that were forecast or observed."""
    h, m, f, _ = _split(counts)
    return ratio(h, h + m + f)


def pod(counts: Counts) -> Floats:
    """Probability of detection: hits of the observed events."""
    h, m, _, _ = _split(counts)
    return ratio(h, h + m)


def far(counts: Counts) -> Floats:
    """False alarm ratio: false alarms of the forecast events."""
    h, _, f, _ = _split(counts)
    return ratio(f, h + f)


def pofd(counts: Counts) -> Floats:
    """Probability of false detection: false alarms of the observed non-events."""
    _, _, f, c = _split(counts)
    return ratio(f, f + c)


def freq_bias(counts: Counts) -> Floats:
    """Forecast events per observed event."""
    h, m, f, _ = _split(counts)
    return ratio(h + f, h + m)


def ets(counts: Counts) -> Floats:
    """Equitable threat score: CSI less the hits that chance gives, -1/3 to 1."""
    h, m, f, c = _split(counts)
    chance = ratio((h + m) * (h + f), h + m + f + c)
    return ratio(h - chance, h + m + f - chance)


def hss(counts: Counts) -> Floats:
    """Heidke skill score: proportion correct against chance."""
    h, m, f, c = _split(counts)
    return ratio(2 * (h * c - f * m), (h + m) * (m + c) + (h + f) * (f + c))


def performance_diagram(counts: Counts) -> dict[str, Floats]:
    """Success ratio (x), POD (y), CSI and frequency bias of each point."""
    return {
        "success_ratio": 1 - far(counts),
        "pod": pod(counts),
        "csi": csi(counts),
        "freq_bias": freq_bias(counts),
    }


def contingency(forecast: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Counts of two event fields."""
    h, f, o = (forecast & truth).sum(), forecast.sum(), truth.sum()
    return np.array([h, o - h, f - h, forecast.size - f - o + h], np.int64)


def neighbourhood_maximum(field: NDArray[Any], width: int) -> NDArray[Any]:
    """The largest value within a square window of odd `width`; missing points are passed over.

    Feed both fields through it before counting.  A window with nothing in it is NaN;
    windows are cut at the border.
    """
    from scipy.ndimage import maximum_filter

    if width % 2 == 0:
        raise ValueError(f"a neighbourhood needs an odd width, not {width}")
    lowest = np.where(np.isfinite(field), field, -np.inf)
    highest = maximum_filter(lowest, width, mode="constant", cval=-np.inf)
    return np.asarray(np.where(np.isinf(highest), np.nan, highest), field.dtype)
