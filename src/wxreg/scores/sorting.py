"""Sorting the members of many points at once, compiled: eight rows stay in registers.

A tile holds rows of `TILE` points, `WIDTH` values apart; a row is one member of each point.
Blocks of `LANES` points, small enough for the nearest cache, are sorted one after the other:
groups of eight rows first, then these are merged two by two in the order of a sorting
network, which stays one if its exchanges become merges of sorted groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

LANES = 64
"""Points of a block."""
TILE = 512
"""Points of a tile."""
WIDTH = TILE + 16
"""From row to row: a constant, for vector lanes, and no power of two, for the cache's sake."""
GROUP = 8
"""Rows that are sorted or merged in registers."""


@compiled
def sort_block(block: Floats, network: Ints) -> None:
    """Sort `LANES` points, from the first value on, of a tile of whole groups of rows.

    `network` sorts as many values as there are groups.
    """
    size = GROUP * WIDTH
    for first in range(0, block.size, size):
        _sort_group(block[first:])
    for pair in range(network.shape[0]):
        _merge_groups(block[network[pair, 0] * size :], block[network[pair, 1] * size :])


@compiled
def _ordered(a: float, b: float) -> tuple[float, float]:
    return (a if a < b else b), (b if a < b else a)


@compiled
def _sort_group(rows: Floats) -> None:
    """Nineteen exchanges sort eight values."""
    w = WIDTH
    for s in range(LANES):
        a, b, c, d = rows[s], rows[s + w], rows[s + 2 * w], rows[s + 3 * w]
        e, f, g, h = rows[s + 4 * w], rows[s + 5 * w], rows[s + 6 * w], rows[s + 7 * w]
        a, c = _ordered(a, c)
        b, d = _ordered(b, d)
        e, g = _ordered(e, g)
        f, h = _ordered(f, h)
        a, e = _ordered(a, e)
        b, f = _ordered(b, f)
        c, g = _ordered(c, g)
        d, h = _ordered(d, h)
        a, b = _ordered(a, b)
        c, d = _ordered(c, d)
        e, f = _ordered(e, f)
        g, h = _ordered(g, h)
        c, e = _ordered(c, e)
        d, f = _ordered(d, f)
        b, e = _ordered(b, e)
        d, g = _ordered(d, g)
        b, c = _ordered(b, c)
        d, e = _ordered(d, e)
        f, g = _ordered(f, g)
        rows[s], rows[s + w], rows[s + 2 * w], rows[s + 3 * w] = a, b, c, d
        rows[s + 4 * w], rows[s + 5 * w], rows[s + 6 * w], rows[s + 7 * w] = e, f, g, h


@compiled
def _merge_groups(low: Floats, high: Floats) -> None:
    """Two sorted groups as sixteen sorted values: Batcher's merge, 25 exchanges."""
    w = WIDTH
    for s in range(LANES):
        a, b, c, d = low[s], low[s + w], low[s + 2 * w], low[s + 3 * w]
        e, f, g, h = low[s + 4 * w], low[s + 5 * w], low[s + 6 * w], low[s + 7 * w]
        i, j, k, m = high[s], high[s + w], high[s + 2 * w], high[s + 3 * w]
        n, o, p, q = high[s + 4 * w], high[s + 5 * w], high[s + 6 * w], high[s + 7 * w]
        a, i = _ordered(a, i)
        e, n = _ordered(e, n)
        e, i = _ordered(e, i)
        c, k = _ordered(c, k)
        g, p = _ordered(g, p)
        g, k = _ordered(g, k)
        c, e = _ordered(c, e)
        g, i = _ordered(g, i)
        k, n = _ordered(k, n)
        b, j = _ordered(b, j)
        f, o = _ordered(f, o)
        f, j = _ordered(f, j)
        d, m = _ordered(d, m)
        h, q = _ordered(h, q)
        h, m = _ordered(h, m)
        d, f = _ordered(d, f)
        h, j = _ordered(h, j)
        m, o = _ordered(m, o)
        b, c = _ordered(b, c)
        d, e = _ordered(d, e)
        f, g = _ordered(f, g)
        h, i = _ordered(h, i)
        j, k = _ordered(j, k)
        m, n = _ordered(m, n)
        o, p = _ordered(o, p)
        low[s], low[s + w], low[s + 2 * w], low[s + 3 * w] = a, b, c, d
        low[s + 4 * w], low[s + 5 * w], low[s + 6 * w], low[s + 7 * w] = e, f, g, h
        high[s], high[s + w], high[s + 2 * w], high[s + 3 * w] = i, j, k, m
        high[s + 4 * w], high[s + 5 * w], high[s + 6 * w], high[s + 7 * w] = n, o, p, q
