"""Window sums for the FSS, compiled: integers only, so the result is exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled, in_parts
from wxreg.scores.sorting import Floats, Ints

WIDEST_NARROW = 215
"""Up to this width the square of a count fits 32 bits, which are twice as fast."""


@compiled
def corner_sums(field: Floats, present: NDArray[np.bool_], threshold: float) -> NDArray[np.int32]:
    """Events above and left of every grid corner: (y+1, x+1)."""
    rows, columns = field.shape
    limit = field.dtype.type(threshold)
    table = np.zeros((rows + 1, columns + 1), np.int32)
    for i in range(rows):
        row, there, above, below = field[i], present[i], table[i], table[i + 1]
        running = np.int32(0)
        for j in range(columns):
            running += np.int32((row[j] >= limit) & there[j])
            below[j + 1] = above[j + 1] + running
    return table


@compiled
def _row_squares(
    f_top: NDArray[np.int32],
    f_bottom: NDArray[np.int32],
    o_top: NDArray[np.int32],
    o_bottom: NDArray[np.int32],
    width: int,
    out: Ints,
) -> None:
    """Windows wholly inside one row of windows: a straight run, in vector lanes."""
    n = f_top.size - width
    ft, fb, ot, ob = f_top[width:], f_bottom[width:], o_top[width:], o_bottom[width:]
    difference, forecast, truth = np.int64(0), np.int64(0), np.int64(0)
    if width > WIDEST_NARROW:
        for j in range(n):
            f = np.int64((fb[j] - ft[j]) - (f_bottom[j] - f_top[j]))
            o = np.int64((ob[j] - ot[j]) - (o_bottom[j] - o_top[j]))
            difference += (f - o) * (f - o)
            forecast += f * f
            truth += o * o
    else:
        for j in range(n):
            g = np.int32((fb[j] - ft[j]) - (f_bottom[j] - f_top[j]))
            h = np.int32((ob[j] - ot[j]) - (o_bottom[j] - o_top[j]))
            difference += np.int32(np.int32(g - h) * np.int32(g - h))
            forecast += np.int32(g * g)
            truth += np.int32(h * h)
    out[0] += difference
    out[1] += forecast
    out[2] += truth


@compiled
def _edge_squares(
    f_top: NDArray[np.int32],
    f_bottom: NDArray[np.int32],
    o_top: NDArray[np.int32],
    o_bottom: NDArray[np.int32],
    width: int,
    out: Ints,
) -> None:
    """The padded windows that hang over the left or right border."""
    columns = f_top.size - 1
    before = width // 2
    for j in range(columns):
        left, right = j - before, j - before + width
        if left >= 0 and right <= columns:
            continue
        left, right = max(left, 0), min(right, columns)
        f = np.int64((f_bottom[right] - f_top[right]) - (f_bottom[left] - f_top[left]))
        o = np.int64((o_bottom[right] - o_top[right]) - (o_bottom[left] - o_top[left]))
        out[0] += (f - o) * (f - o)
        out[1] += f * f
        out[2] += o * o


@compiled
def _range_squares(
    forecast: NDArray[np.int32],
    truth: NDArray[np.int32],
    scales: Ints,
    padded: bool,
    start: int,
    stop: int,
    out: Ints,
) -> None:
    rows = forecast.shape[0] - 1
    for i in range(start, stop):
        for s in range(scales.size):
            width = scales[s]
            top = i - width // 2 if padded else i
            bottom = top + width
            if not padded and bottom > rows:
                continue
            top, bottom = max(top, 0), min(bottom, rows)
            f0, f1, o0, o1 = forecast[top], forecast[bottom], truth[top], truth[bottom]
            if width < f0.size:
                _row_squares(f0, f1, o0, o1, width, out[s])
            if padded:
                _edge_squares(f0, f1, o0, o1, width, out[s])


def window_squares(
    forecast: NDArray[np.int32],
    truth: NDArray[np.int32],
    scales: tuple[int, ...],
    padded: bool,
    threads: int | None,
) -> Ints:
    """Sums (3, scales) of squared differences, forecast and truth counts, from corner sums."""
    widths = np.array(scales, np.int64)

    def work(start: int, stop: int) -> Ints:
        out = np.zeros((len(scales), 3), np.int64)
        _range_squares(forecast, truth, widths, padded, start, stop, out)
        return out

    total: Ints = np.sum(in_parts(forecast.shape[0] - 1, work, threads), axis=0).T
    return total
