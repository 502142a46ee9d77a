"""The steps of the fused ensemble pass, each one short loop over a tile's lanes.

A tile of points by members is held in the processor's cache.  The observation is
subtracted first, so sums are of small numbers; a value that is not finite becomes +inf, so
sorting puts it last.  Two things keep the loops in vector lanes: rows are sliced before
they are indexed, and every constant has the array's own type (a plain `1` would promote
float32 to float64).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

TILE = 512


@compiled
def load_tile(forecast: Floats, first: int, truth: Floats, tile: Floats) -> None:
    """Fill the tile with forecast minus truth, +inf where a member is missing."""
    inf = tile.dtype.type(np.inf)
    n = truth.size
    for member in range(tile.shape[0]):
        row, out = forecast[member, first : first + n], tile[member, :n]
        for p in range(n):
            difference = row[p] - truth[p]
            out[p] = difference if abs(difference) < inf else inf


@compiled
def count_above(forecast: Floats, first: int, threshold: float, above: Floats) -> None:
    """How many members reach the threshold at each point; a missing one never does."""
    one, zero = above.dtype.type(1), above.dtype.type(0)
    limit, inf = above.dtype.type(threshold), above.dtype.type(np.inf)
    n = above.size
    above[:] = zero
    for member in range(forecast.shape[0]):
        row = forecast[member, first : first + n]
        for p in range(n):
            above[p] += one if (row[p] >= limit) & (row[p] < inf) else zero


@compiled
def sizes_and_means(tile: Floats, size: Floats, mean: Floats, distance: Floats) -> bool:
    """Members present, mean difference, sum of absolute differences; True if all present."""
    inf, zero = tile.dtype.type(np.inf), tile.dtype.type(0)
    members, n = tile.shape[0], size.size
    mean[:] = zero
    distance[:] = zero
    for member in range(members):
        row = tile[member, :n]
        for p in range(n):
            mean[p] += row[p]
            distance[p] += abs(row[p])
    missing = 0
    for p in range(n):
        missing += 0 if mean[p] < inf else 1
    if missing > 0:
        _ragged_sizes(tile, size, mean, distance)
        return False
    size[:] = tile.dtype.type(members)
    mean[:] /= tile.dtype.type(members)
    return True


@compiled
def _ragged_sizes(tile: Floats, size: Floats, mean: Floats, distance: Floats) -> None:
    inf, zero, one = tile.dtype.type(np.inf), tile.dtype.type(0), tile.dtype.type(1)
    n = size.size
    size[:] = zero
    mean[:] = zero
    distance[:] = zero
    for member in range(tile.shape[0]):
        row = tile[member, :n]
        for p in range(n):
            size[p] += one if row[p] < inf else zero
        for p in range(n):
            mean[p] += row[p] if row[p] < inf else zero
        for p in range(n):
            distance[p] += abs(row[p]) if row[p] < inf else zero
    for p in range(n):
        mean[p] = mean[p] / size[p] if size[p] > zero else zero


@compiled
def count_below(tile: Floats, below: Floats, equal: Floats) -> None:
    """How many members lie below the observation, and how many equal it."""
    zero, one = tile.dtype.type(0), tile.dtype.type(1)
    n = below.size
    below[:] = zero
    equal[:] = zero
    for member in range(tile.shape[0]):
        row = tile[member, :n]
        for p in range(n):
            below[p] += one if row[p] < zero else zero
            equal[p] += one if row[p] == zero else zero


@compiled
def sum_squares(tile: Floats, mean: Floats, squares: Floats, whole: bool) -> None:
    """Sum over members of the squared departure from the ensemble mean."""
    inf, zero = tile.dtype.type(np.inf), tile.dtype.type(0)
    n = mean.size
    squares[:] = zero
    for member in range(tile.shape[0]):
        row = tile[member, :n]
        if whole:
            for p in range(n):
                squares[p] += (row[p] - mean[p]) * (row[p] - mean[p])
        else:
            for p in range(n):
                departure = row[p] - mean[p] if row[p] < inf else zero
                squares[p] += departure * departure


@compiled
def sort_tile(tile: Floats, network: Ints, n: int) -> None:
    """Sort the members of every point in place."""
    for pair in range(network.shape[0]):
        low, high = tile[network[pair, 0], :n], tile[network[pair, 1], :n]
        for p in range(n):
            a, b = low[p], high[p]
            low[p] = a if a < b else b
            high[p] = b if a < b else a


@compiled
def pair_sums(tile: Floats, size: Floats, mean: Floats, pairs: Floats, whole: bool) -> None:
    """Half the sum over all ordered pairs of |x_i - x_j|, from sorted members."""
    inf, zero = tile.dtype.type(np.inf), tile.dtype.type(0)
    members, n = tile.shape[0], size.size
    pairs[:] = zero
    if whole:
        for low in range(members // 2):
            first, last = tile[low, :n], tile[members - 1 - low, :n]
            factor = tile.dtype.type(members - 1 - 2 * low)
            for p in range(n):
                pairs[p] += factor * (last[p] - first[p])
        return
    for member in range(members):
        row = tile[member, :n]
        factor = tile.dtype.type(2 * member + 1)
        for p in range(n):
            pairs[p] += (factor - size[p]) * (row[p] - mean[p]) if row[p] < inf else zero
