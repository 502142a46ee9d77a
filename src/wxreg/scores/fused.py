"""The fused ensemble pass, compiled: tiles of points through the kernels, then into bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled, in_parts
from wxreg.scores.ensemble import EnsembleParts
from wxreg.scores.kernels import (
    TILE,
    Floats,
    Ints,
    count_above,
    count_below,
    load_tile,
    pair_sums,
    sizes_and_means,
    sort_tile,
    sum_squares,
)
from wxreg.scores.network import sorting_network


@compiled
def ensemble_range(
    forecast: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    network: Ints,
    start: int,
    stop: int,
    sums: NDArray[np.float64],
    numbers: Ints,
    ranks: NDArray[np.float64],
    tables: Ints,
    weighted: NDArray[np.float64],
    maps: Floats,
) -> None:
    """Add the points `start:stop` to every state array, and write their maps.

    `forecast` is (members, points); `weights` and `maps` may be empty: unit weights, no maps.
    """
    members = forecast.shape[0]
    tile = np.empty((members, TILE), forecast.dtype)
    scratch = np.empty((7, TILE), forecast.dtype)
    above = np.empty((thresholds.size, TILE), forecast.dtype)
    for first in range(start, stop, TILE):
        n = min(TILE, stop - first)
        observed = truth[first : first + n]
        size, mean, distance = scratch[0, :n], scratch[1, :n], scratch[2, :n]
        squares, below, equal, pairs = (
            scratch[3, :n],
            scratch[4, :n],
            scratch[5, :n],
            scratch[6, :n],
        )
        load_tile(forecast, first, observed, tile)
        for t in range(thresholds.size):
            count_above(forecast, first, thresholds[t], above[t, :n])
        whole = sizes_and_means(tile, size, mean, distance)
        count_below(tile, below, equal)
        sum_squares(tile, mean, squares, whole)
        if maps.size > 0:
            _write_maps(maps, first, observed, size, mean, squares, above)
        sort_tile(tile, network, n)
        pair_sums(tile, size, mean, pairs, whole)
        if whole and _uniform(observed, index, first):
            _add_tile(weights, index, first, members, mean, distance, squares, pairs, sums, numbers)
        else:
            _add_moments(
                observed, weights, index, first, size, mean, distance, squares, pairs, sums, numbers
            )
        _add_counts(
            observed, weights, index, first, size, members, below, equal, above, thresholds,
            ranks, tables, weighted,
        )  # fmt: skip


@compiled
def _write_maps(
    maps: Floats,
    first: int,
    truth: Floats,
    size: Floats,
    mean: Floats,
    squares: Floats,
    above: Floats,
) -> None:
    """Rows: ensemble mean, ensemble spread, then the exceedance probability of each threshold."""
    for p in range(size.size):
        m = size[p]
        maps[0, first + p] = mean[p] + truth[p] if m > 0 else np.nan
        maps[1, first + p] = np.sqrt(squares[p] / (m - 1)) if m > 1 else np.nan
        for t in range(above.shape[0]):
            maps[2 + t, first + p] = above[t, p] / m if m > 0 else np.nan


@compiled
def _uniform(truth: Floats, index: NDArray[np.int32], first: int) -> bool:
    """Whether a tile has every observation and lies in one bin."""
    total = truth.dtype.type(0)
    for p in range(truth.size):
        total += abs(truth[p])
    strays = 0
    for p in range(truth.size):
        strays += 1 if index[first + p] != index[first] else 0
    return bool(strays == 0 and index[first] >= 0 and total < np.inf)


@compiled
def _weighted_sum(values: Floats, weights: NDArray[np.float64], first: int) -> float:
    total = 0.0
    if weights.size == 0:
        for p in range(values.size):
            total += np.float64(values[p])
        return total
    for p in range(values.size):
        total += np.float64(values[p]) * weights[first + p]
    return total


@compiled
def _add_tile(
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    first: int,
    members: int,
    mean: Floats,
    distance: Floats,
    squares: Floats,
    pairs: Floats,
    sums: NDArray[np.float64],
    numbers: Ints,
) -> None:
    """`_add_moments` for a uniform tile with every member: sums first, factors afterwards."""
    m, row = float(members), sums[index[first]]
    weight = _weighted_sum(np.ones_like(mean), weights, first)
    absolute = _weighted_sum(distance, weights, first) / m
    half_pairs = _weighted_sum(pairs, weights, first)
    square_error = _weighted_sum(mean * mean, weights, first)
    row[0] += weight
    row[1] += absolute - half_pairs / (m * m)
    row[2] += absolute
    row[3] += _weighted_sum(mean, weights, first)
    row[4] += _weighted_sum(np.abs(mean), weights, first)
    row[5] += square_error
    numbers[index[first], 0] += mean.size
    numbers[index[first], 1] += mean.size * members
    if members > 1:
        variance = _weighted_sum(squares, weights, first) / (m - 1)
        row[6] += weight
        row[7] += absolute - half_pairs / (m * (m - 1))
        row[8] += square_error
        row[9] += variance
        row[10] += variance * (m + 1) / m


@compiled
def _add_moments(
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    first: int,
    size: Floats,
    mean: Floats,
    distance: Floats,
    squares: Floats,
    pairs: Floats,
    sums: NDArray[np.float64],
    numbers: Ints,
) -> None:
    """Columns of `sums` and `numbers` as named in `ensemble.SUMS` and `ensemble.NUMBERS`."""
    for p in range(size.size):
        at = index[first + p]
        m = np.float64(size[p])
        if at < 0 or m == 0 or not abs(truth[p]) < np.inf:
            continue
        w = weights[first + p] if weights.size > 0 else 1.0
        error = np.float64(mean[p])
        absolute = distance[p] / m
        row = sums[at]
        row[0] += w
        row[1] += w * (absolute - pairs[p] / (m * m))
        row[2] += w * absolute
        row[3] += w * error
        row[4] += w * abs(error)
        row[5] += w * error * error
        numbers[at, 0] += 1
        numbers[at, 1] += np.int64(m)
        if m > 1:
            variance = squares[p] / (m - 1)
            row[6] += w
            row[7] += w * (absolute - pairs[p] / (m * (m - 1)))
            row[8] += w * error * error
            row[9] += w * variance
            row[10] += w * variance * (m + 1) / m


@compiled
def _add_counts(
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    first: int,
    size: Floats,
    members: int,
    below: Floats,
    equal: Floats,
    above: Floats,
    thresholds: Floats,
    ranks: NDArray[np.float64],
    tables: Ints,
    weighted: NDArray[np.float64],
) -> None:
    """Ranks with shared ties and the tables of (members above, event) of complete points."""
    for p in range(size.size):
        at = index[first + p]
        observed = truth[p]
        if at < 0 or size[p] != members or not abs(observed) < np.inf:
            continue
        w = weights[first + p] if weights.size > 0 else 1.0
        lowest, ties = np.int64(below[p]), np.int64(equal[p])
        if ties == 0:
            ranks[at, lowest] += w
        else:
            for rank in range(lowest, lowest + ties + 1):
                ranks[at, rank] += w / (ties + 1)
        for t in range(thresholds.size):
            event = 1 if observed >= thresholds[t] else 0
            tables[at, t, int(above[t, p]), event] += 1
            if weights.size > 0:
                weighted[at, t, int(above[t, p]), event] += w


def ensemble_parts(
    forecast: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    bins: int,
    maps: Floats,
    threads: int | None,
) -> list[EnsembleParts]:
    """The whole field, cut into parts that run side by side."""
    members = forecast.shape[0]
    network = sorting_network(members)

    def work(start: int, stop: int) -> EnsembleParts:
        part = EnsembleParts.zero(bins, members, thresholds.size)
        ensemble_range(
            forecast, truth, weights, index, thresholds, network, start, stop,
            part.sums, part.numbers, part.ranks, part.tables, part.weighted, maps,
        )  # fmt: skip
        return part

    return in_parts(truth.size, work, threads)
