"""Window sums for the FSS, compiled: integers only, so the result is exact.

Counts are taken from corner sums, which may wrap round: a window's count is right modulo
2^16, and so right as it is, while no window holds as many points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled, in_parts
from wxreg.scores.sorting import Floats, Ints

Corners = NDArray[np.unsignedinteger[Any]]

WIDEST_SHORT = 255
"""Up to this width a count fits 16 bits."""
WIDEST_NARROW = 90
"""Up to this width the squares of 65 counts or more fit 32 bits together."""


@compiled
def _write_corners(
    field: Floats, present: NDArray[np.bool_], threshold: float, corners: Corners
) -> None:
    """Events above and left of every grid corner, (y+1, x+1), into `corners`."""
    limit = field.dtype.type(threshold)
    kind = corners.dtype.type
    events = np.empty(field.shape[1], corners.dtype)
    corners[0] = 0
    for i in range(field.shape[0]):
        row, there, above, below = field[i], present[i], corners[i, 1:], corners[i + 1, 1:]
        for j in range(events.size):
            events[j] = kind(1) if (row[j] >= limit) & there[j] else kind(0)
        running = kind(0)
        for j in range(events.size):
            running = kind(running + events[j])
            events[j] = running
        corners[i + 1, 0] = 0
        for j in range(events.size):
            below[j] = kind(above[j] + events[j])


@compiled
def _band(corners: Corners, top: int, bottom: int, band: Corners) -> None:
    """Events left of every corner, between two rows."""
    kind = band.dtype.type
    upper, lower = corners[top], corners[bottom]
    for j in range(band.size):
        band[j] = kind(lower[j] - upper[j])


@compiled
def _narrow_squares(forecast: Corners, truth: Corners, width: int, out: Ints) -> None:
    """Windows wholly inside a band: straight runs, short enough for sums of 32 bits."""
    kind, n = forecast.dtype.type, forecast.size - width
    run = (2**32 - 1) // width**4
    for start in range(0, n, run):
        f0, f1 = forecast[start : min(start + run, n)], forecast[start + width :]
        o0, o1 = truth[start : min(start + run, n)], truth[start + width :]
        difference, events, observed = np.uint32(0), np.uint32(0), np.uint32(0)
        for j in range(f0.size):
            f, o = np.int32(kind(f1[j] - f0[j])), np.int32(kind(o1[j] - o0[j]))
            d = np.int32(f - o)
            difference = np.uint32(difference + np.uint32(d * d))
            events = np.uint32(events + np.uint32(f * f))
            observed = np.uint32(observed + np.uint32(o * o))
        out[0] += np.int64(difference)
        out[1] += np.int64(events)
        out[2] += np.int64(observed)


@compiled
def _wide_squares(forecast: Corners, truth: Corners, width: int, out: Ints) -> None:
    """The same for windows of any width."""
    kind = forecast.dtype.type
    for j in range(forecast.size - width):
        f = np.int64(kind(forecast[j + width] - forecast[j]))
        o = np.int64(kind(truth[j + width] - truth[j]))
        out[0] += (f - o) * (f - o)
        out[1] += f * f
        out[2] += o * o


@compiled
def _edge_squares(forecast: Corners, truth: Corners, width: int, out: Ints) -> None:
    """The padded windows that hang over the left or right border of a band."""
    kind, columns, before = forecast.dtype.type, forecast.size - 1, width // 2
    inner = max(columns - width + 1, 0)  # windows that `_narrow_squares` has counted
    for number in range(columns - inner):
        j = number if number < before or inner == 0 else number + inner
        left, right = max(j - before, 0), min(j - before + width, columns)
        f = np.int64(kind(forecast[right] - forecast[left]))
        o = np.int64(kind(truth[right] - truth[left]))
        out[0] += (f - o) * (f - o)
        out[1] += f * f
        out[2] += o * o


@compiled
def _range_squares(
    forecast: Corners, truth: Corners, scales: Ints, padded: bool, start: int, stop: int, out: Ints
) -> None:
    """Add the rows of windows `start:stop` to `out`, (scales, 3)."""
    rows = forecast.shape[0] - 1
    made, real = np.empty_like(forecast[0]), np.empty_like(truth[0])
    for s in range(scales.size):
        width = scales[s]
        for i in range(start, stop):
            top = i - width // 2 if padded else i
            bottom = top + width
            if not padded and bottom > rows:
                continue
            _band(forecast, max(top, 0), min(bottom, rows), made)
            _band(truth, max(top, 0), min(bottom, rows), real)
            if width <= WIDEST_NARROW:
                _narrow_squares(made, real, width, out[s])
            else:
                _wide_squares(made, real, width, out[s])
            if padded:
                _edge_squares(made, real, width, out[s])


def window_squares(
    pair: tuple[Floats, Floats],
    present: NDArray[np.bool_],
    thresholds: tuple[float, ...],
    scales: tuple[int, ...],
    padded: bool,
    threads: int | None,
) -> tuple[Ints, Ints]:
    """Sums (3, thresholds, scales) of squared differences, forecast and truth counts.

    And the events (2, thresholds) of both fields.
    """
    rows, columns = present.shape
    kind = np.uint16 if max(scales) <= WIDEST_SHORT else np.uint32
    corners: Any = np.empty((2, rows + 1, columns + 1), kind)
    widths = np.array(scales, np.int64)
    squares = np.zeros((3, len(thresholds), len(scales)), np.int64)
    events = np.zeros((2, len(thresholds)), np.int64)
    for t, threshold in enumerate(thresholds):

        def write(start: int, stop: int, threshold: float = threshold) -> None:
            for side in range(start, stop):
                _write_corners(pair[side], present, threshold, corners[side])

        def work(start: int, stop: int) -> Ints:
            out = np.zeros((len(scales), 3), np.int64)
            _range_squares(corners[0], corners[1], widths, padded, start, stop, out)
            return out

        in_parts(2, write, threads)
        squares[:, t] = np.sum(in_parts(rows, work, threads), axis=0).T
        events[:, t] = [np.count_nonzero((field >= threshold) & present) for field in pair]
    return squares, events
