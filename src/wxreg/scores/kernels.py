"""The steps of the fused ensemble pass, each one short loop over a block's lanes.

A tile is cut into blocks of `LANES` points by members that fit the processor's nearest
cache.  A value that is not finite becomes +inf, as do the rows that fill up the last group
of eight, so sorting puts them last.  Three things keep the loops in vector lanes: rows are
sliced before they are indexed, rows lie a constant apart, and every constant has the array's
own type (a plain `1` would promote float32 to float64).
"""

from __future__ import annotations

import numpy as np

from wxreg.scores.compiling import compiled
from wxreg.scores.sorting import GROUP, LANES, WIDTH, Floats

SIZE, MEAN, DISTANCE, SQUARES, PAIRS, BELOW, EQUAL, ABOVE = range(8)
"""Rows of what is found of each point: members present, mean difference, sum of absolute
differences, sum of squared departures from the mean, half the sum over pairs of |x_i - x_j|,
members below the observation and equal to it, and from `ABOVE` on those that reach each
threshold."""


@compiled
def load_tile(forecast: Floats, first: int, truth: Floats, tile: Floats) -> None:
    """Fill the rows of a tile with members, from point `first` on; +inf where one is missing."""
    inf = tile.dtype.type(np.inf)
    n = truth.size
    for member in range(forecast.shape[0]):
        row, out = forecast[member, first : first + n], tile[member * WIDTH :][:n]
        for p in range(n):
            out[p] = row[p] if abs(row[p] - truth[p]) < inf else inf
    tile[forecast.shape[0] * WIDTH :] = inf


@compiled
def differences(tile: Floats, lane: int, truth: Floats, found: Floats) -> None:
    """Of members less the observation: how many, below, equal; their mean and absolute sum."""
    inf, zero, one = tile.dtype.type(np.inf), tile.dtype.type(0), tile.dtype.type(1)
    block, y = tile[lane:], truth[lane : lane + LANES]
    size, below, equal = (
        found[SIZE, lane : lane + LANES],
        found[BELOW, lane : lane + LANES],
        found[EQUAL, lane : lane + LANES],
    )
    mean, distance = found[MEAN, lane : lane + LANES], found[DISTANCE, lane : lane + LANES]
    found[:ABOVE, lane : lane + LANES] = zero
    for first in range(0, block.size, GROUP * WIDTH):
        rows = block[first:]
        for p in range(y.size):
            count, less, same, total, absolute = zero, zero, zero, zero, zero
            for k in range(GROUP):
                x = rows[p + k * WIDTH]
                d = x - y[p] if x < inf else zero
                count += one if x < inf else zero
                less += one if x < y[p] else zero
                same += one if x == y[p] else zero
                total += d
                absolute += abs(d)
            size[p] += count
            below[p] += less
            equal[p] += same
            mean[p] += total
            distance[p] += absolute
    for p in range(y.size):
        mean[p] = mean[p] / size[p] if size[p] > zero else zero


@compiled
def departures(tile: Floats, lane: int, truth: Floats, found: Floats) -> None:
    """Of sorted members less their mean: the sum of squares, and half the sum over pairs."""
    inf, zero = tile.dtype.type(np.inf), tile.dtype.type(0)
    block, y = tile[lane:], truth[lane : lane + LANES]
    size, mean = found[SIZE, lane : lane + LANES], found[MEAN, lane : lane + LANES]
    squares, pairs = found[SQUARES, lane : lane + LANES], found[PAIRS, lane : lane + LANES]
    for first in range(0, block.size, GROUP * WIDTH):
        rows = block[first:]
        least = tile.dtype.type(2 * (first // WIDTH) + 1)
        for p in range(y.size):
            square, pair = zero, zero
            for k in range(GROUP):
                x = rows[p + k * WIDTH]
                d = (x - y[p]) - mean[p] if x < inf else zero
                square += d * d
                pair += (least + tile.dtype.type(2 * k) - size[p]) * d
            squares[p] += square
            pairs[p] += pair


@compiled
def count_above(tile: Floats, lane: int, threshold: float, size: Floats, above: Floats) -> None:
    """How many members reach the threshold; a missing one never does."""
    zero, one = tile.dtype.type(0), tile.dtype.type(1)
    limit = tile.dtype.type(threshold)
    block, there, out = tile[lane:], size[lane : lane + LANES], above[lane : lane + LANES]
    out[:] = there
    for first in range(0, block.size, GROUP * WIDTH):
        rows = block[first:]
        for p in range(there.size):
            less = zero
            for k in range(GROUP):
                less += one if rows[p + k * WIDTH] < limit else zero
            out[p] -= less
