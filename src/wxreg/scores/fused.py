"""The fused ensemble pass, compiled: tiles of points through the kernels, then into bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled, in_parts
from wxreg.scores.ensemble_parts import EnsembleParts
from wxreg.scores.kernels import (
    ABOVE,
    BELOW,
    DISTANCE,
    EQUAL,
    MEAN,
    PAIRS,
    SIZE,
    SQUARES,
    count_above,
    departures,
    differences,
    load_tile,
)
from wxreg.scores.network import sorting_network
from wxreg.scores.sorting import GROUP, LANES, TILE, WIDTH, Floats, Ints, sort_block

Doubles = NDArray[np.float64]
Index = NDArray[np.int32]


@compiled
def ensemble_range(
    forecast: Floats,
    truth: Floats,
    weights: Doubles,
    index: Index,
    thresholds: Floats,
    network: Ints,
    start: int,
    stop: int,
    sums: Doubles,
    numbers: Ints,
    ranks: Doubles,
    tables: Ints,
    weighted: Doubles,
    maps: Floats,
) -> None:
    """Add the points `start:stop` to every state array, and write their maps.

    `forecast` is (members, points); `weights` and `maps` may be empty: unit weights, no maps.
    """
    groups = (forecast.shape[0] + GROUP - 1) // GROUP
    tile = np.zeros(groups * GROUP * WIDTH, forecast.dtype)
    found = np.zeros((ABOVE + thresholds.size, TILE), forecast.dtype)
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        observed, at = truth[first:last], index[first:last]
        load_tile(forecast, first, observed, tile)
        for lane in range(0, observed.size, LANES):
            _find(tile, lane, observed, thresholds, network, found)
        if maps.size > 0:
            _write_maps(found, first, observed, maps)
        point_weights = weights[first:last] if weights.size > 0 else weights
        _add_terms(found, point_weights, at, sums, numbers)
        whole = forecast.shape[0]
        _add_ranks(found, point_weights, at, whole, ranks)
        for t in range(thresholds.size):
            _add_table(
                found, found[ABOVE + t], observed, thresholds[t], point_weights, at, whole,
                tables[:, t], weighted[:, t],
            )  # fmt: skip


@compiled
def _find(
    tile: Floats, lane: int, truth: Floats, thresholds: Floats, network: Ints, found: Floats
) -> None:
    """All that is to be known of the points from `lane` on; their members end up sorted."""
    differences(tile, lane, truth, found)
    for t in range(thresholds.size):
        count_above(tile, lane, thresholds[t], found[SIZE], found[ABOVE + t])
    sort_block(tile[lane:], network)
    departures(tile, lane, truth, found)


@compiled
def _write_maps(found: Floats, first: int, truth: Floats, maps: Floats) -> None:
    """Rows: ensemble mean, ensemble spread, then the exceedance probability of each threshold."""
    zero, one, nan = found.dtype.type(0), found.dtype.type(1), found.dtype.type(np.nan)
    n = truth.size
    size, mean, squares = found[SIZE], found[MEAN], found[SQUARES]
    centre, spread = maps[0, first : first + n], maps[1, first : first + n]
    for p in range(n):
        centre[p] = mean[p] + truth[p] if size[p] > zero else nan
        spread[p] = np.sqrt(squares[p] / (size[p] - one)) if size[p] > one else nan
    for t in range(maps.shape[0] - 2):
        above, share = found[ABOVE + t], maps[2 + t, first : first + n]
        for p in range(n):
            share[p] = above[p] / size[p] if size[p] > zero else nan


@compiled
def _add_terms(found: Floats, weights: Doubles, index: Index, sums: Doubles, numbers: Ints) -> None:
    """The terms of each point, by `ensemble_parts.SUMS` and `NUMBERS`, into the sums of its bin."""
    n, size = index.size, found[SIZE]
    strays, points, members = 0, 0, size.dtype.type(0)
    for p in range(n):
        strays += 1 if index[p] != index[0] else 0
    if strays > 0:
        _scatter_terms(found, weights, index, sums, numbers)
    elif index[0] >= 0:
        for p in range(n):
            points += 1 if size[p] > 0 else 0
            members += size[p]
        numbers[index[0], 0] += points
        numbers[index[0], 1] += np.int64(members)
        _sum_terms(found, weights, n, sums[index[0]])


@compiled
def _terms(
    size: float, error: float, distance: float, pairs: float, squares: float, weight: float
) -> tuple[float, ...]:
    """Zero where no member is present, and from `fair_weight` on where there is one only."""
    m, e = np.float64(size), np.float64(error)
    some, less = max(m, 1.0), max(m - 1.0, 1.0)
    w = weight if m > 0.0 else 0.0
    fair = w if m > 1.0 else 0.0
    absolute, half, variance = distance / some, pairs / some, squares / less
    return (
        w, w * (absolute - half / some), w * absolute, w * e, w * abs(e), w * e * e,
        fair, fair * (absolute - half / less), fair * e * e,
        fair * variance, fair * variance * (m + 1.0) / some,
    )  # fmt: skip


@compiled
def _scatter_terms(
    found: Floats, weights: Doubles, index: Index, sums: Doubles, numbers: Ints
) -> None:
    """Each point into the row of its bin."""
    size, mean, distance = found[SIZE], found[MEAN], found[DISTANCE]
    pairs, squares = found[PAIRS], found[SQUARES]
    for p in range(index.size):
        if index[p] < 0 or size[p] == 0:
            continue
        w = weights[p] if weights.size > 0 else 1.0
        terms = _terms(size[p], mean[p], distance[p], pairs[p], squares[p], w)
        row = sums[index[p]]
        for column in range(len(terms)):
            row[column] += terms[column]
        numbers[index[p], 0] += 1
        numbers[index[p], 1] += np.int64(size[p])


@compiled
def _sum_terms(found: Floats, weights: Doubles, n: int, row: Doubles) -> None:
    """Every point into one row: summed in registers."""
    size, mean, distance = found[SIZE, :n], found[MEAN, :n], found[DISTANCE, :n]
    pairs, squares = found[PAIRS, :n], found[SQUARES, :n]
    each = weights if weights.size > 0 else np.ones(n)
    a, b, c, d, e, f = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    g, h, i, j, k = 0.0, 0.0, 0.0, 0.0, 0.0
    for p in range(n):
        t = _terms(size[p], mean[p], distance[p], pairs[p], squares[p], each[p])
        a += t[0]
        b += t[1]
        c += t[2]
        d += t[3]
        e += t[4]
        f += t[5]
        g += t[6]
        h += t[7]
        i += t[8]
        j += t[9]
        k += t[10]
    total = (a, b, c, d, e, f, g, h, i, j, k)
    for column in range(len(total)):
        row[column] += total[column]


@compiled
def _add_ranks(found: Floats, weights: Doubles, index: Index, members: int, ranks: Doubles) -> None:
    """Ranks of complete points; ties are shared."""
    size, below, equal = found[SIZE], found[BELOW], found[EQUAL]
    for p in range(index.size):
        if index[p] < 0 or size[p] != members:
            continue
        w = weights[p] if weights.size > 0 else 1.0
        lowest, ties = np.int64(below[p]), np.int64(equal[p])
        row = ranks[index[p]]
        if ties == 0:
            row[lowest] += w
        else:
            for rank in range(lowest, lowest + ties + 1):
                row[rank] += w / (ties + 1)


@compiled
def _add_table(
    found: Floats,
    above: Floats,
    truth: Floats,
    threshold: float,
    weights: Doubles,
    index: Index,
    members: int,
    table: Ints,
    weighted: Doubles,
) -> None:
    """How often so many members reached the threshold and the event did, or did not, happen."""
    limit = truth.dtype.type(threshold)
    size = found[SIZE]
    for p in range(index.size):
        if index[p] < 0 or size[p] != members:
            continue
        event = 1 if truth[p] >= limit else 0
        table[index[p], np.int64(above[p]), event] += 1
        if weights.size > 0:
            weighted[index[p], np.int64(above[p]), event] += weights[p]


def ensemble_parts(
    forecast: Floats,
    truth: Floats,
    weights: Doubles,
    index: Index,
    thresholds: Floats,
    bins: int,
    maps: Floats,
    threads: int | None,
) -> list[EnsembleParts]:
    """The whole field, cut into parts that run side by side."""
    members = forecast.shape[0]
    network = sorting_network((members + GROUP - 1) // GROUP)

    def work(start: int, stop: int) -> EnsembleParts:
        part = EnsembleParts.zero(bins, members, thresholds.size)
        ensemble_range(
            forecast, truth, weights, index, thresholds, network, start, stop,
            part.sums, part.numbers, part.ranks, part.tables, part.weighted, maps,
        )  # fmt: skip
        return part

    return in_parts(truth.size, work, threads)
