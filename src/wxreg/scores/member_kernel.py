"""The member pass, compiled: uniform tiles in vector lanes, the others point by point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled, in_parts
from wxreg.scores.sorting import Floats, Ints

TILE = 4096


@compiled
def _is_uniform(row: Floats, truth: Floats, index: NDArray[np.int32]) -> bool:
    total, strays = truth.dtype.type(0), 0
    for p in range(truth.size):
        total += abs(truth[p]) + abs(row[p])
    for p in range(truth.size):
        strays += 1 if index[p] != index[0] else 0
    return bool(strays == 0 and index[0] >= 0 and total < np.inf)


@compiled
def _lane_moments(row: Floats, truth: Floats, origin: float, out: NDArray[np.float64]) -> None:
    """The nine moments of a tile in which every point counts once, in one bin."""
    s1, s2, s3, s4, s5, s6, s7, s8 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for p in range(truth.size):
        x, y = np.float64(row[p]), np.float64(truth[p])
        e, a, b = x - y, x - origin, y - origin
        s1 += e
        s2 += abs(e)
        s3 += e * e
        s4 += a
        s5 += b
        s6 += a * a
        s7 += b * b
        s8 += a * b
    out[0] += truth.size
    out[1] += s1
    out[2] += s2
    out[3] += s3
    out[4] += s4
    out[5] += s5
    out[6] += s6
    out[7] += s7
    out[8] += s8


@compiled
def _lane_counts(row: Floats, truth: Floats, threshold: float, out: Ints) -> None:
    limit = truth.dtype.type(threshold)
    hits, forecasts, events = np.int32(0), np.int32(0), np.int32(0)
    for p in range(truth.size):
        f, o = row[p] >= limit, truth[p] >= limit
        hits += np.int32(1) if f & o else np.int32(0)
        forecasts += np.int32(1) if f else np.int32(0)
        events += np.int32(1) if o else np.int32(0)
    out[0] += hits
    out[1] += events - hits
    out[2] += forecasts - hits
    out[3] += truth.size - events - forecasts + hits


@compiled
def _add_points(
    row: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    origin: float,
    member: int,
    numbers: Ints,
    moments: NDArray[np.float64],
    counts: Ints,
    weighted: NDArray[np.float64],
) -> None:
    """The general case: weights, bins and missing values, point by point."""
    for p in range(truth.size):
        x, y = np.float64(row[p]), np.float64(truth[p])
        if index[p] < 0 or not (abs(x) < np.inf and abs(y) < np.inf):
            continue
        w = weights[p] if weights.size > 0 else 1.0
        e, a, b = x - y, x - origin, y - origin
        numbers[index[p], member] += 1
        out = moments[index[p], member]
        out[0] += w
        out[1] += w * e
        out[2] += w * abs(e)
        out[3] += w * e * e
        out[4] += w * a
        out[5] += w * b
        out[6] += w * a * a
        out[7] += w * b * b
        out[8] += w * a * b
        for t in range(thresholds.size):
            f, o = row[p] >= thresholds[t], truth[p] >= thresholds[t]
            outcome = (0 if f else 1) if o else (2 if f else 3)
            counts[index[p], member, t, outcome] += 1
            weighted[index[p], member, t, outcome] += w


@compiled
def member_range(
    forecast: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    origin: float,
    start: int,
    stop: int,
    numbers: Ints,
    moments: NDArray[np.float64],
    counts: Ints,
    weighted: NDArray[np.float64],
) -> None:
    """Add the points `start:stop` of every member."""
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        observed, at = truth[first:last], index[first:last]
        for member in range(forecast.shape[0]):
            row = forecast[member, first:last]
            if weights.size == 0 and _is_uniform(row, observed, at):
                numbers[at[0], member] += row.size
                _lane_moments(row, observed, origin, moments[at[0], member])
                for t in range(thresholds.size):
                    _lane_counts(row, observed, thresholds[t], counts[at[0], member, t])
            else:
                w = weights[first:last] if weights.size > 0 else weights
                _add_points(
                    row, observed, w, at, thresholds, origin, member,
                    numbers, moments, counts, weighted,
                )  # fmt: skip


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
    """Counts of points, moments, counts and weighted counts of events, in one read."""
    shape = (bins, forecast.shape[0])

    def work(start: int, stop: int) -> tuple[NDArray[Any], ...]:
        numbers, moments = np.zeros(shape, np.int64), np.zeros((*shape, 9))
        counts = np.zeros((*shape, thresholds.size, 4), np.int64)
        weighted = np.zeros(counts.shape)
        member_range(
            forecast, truth, weights, index, thresholds, origin, start, stop,
            numbers, moments, counts, weighted,
        )  # fmt: skip
        return numbers, moments, counts, weighted

    parts = in_parts(truth.size, work, threads)
    return tuple(np.sum(arrays, axis=0) for arrays in zip(*parts, strict=True))
