"""Fractions skill score over many scales and thresholds (Roberts and Lean 2008).

The state is three integers per (threshold, scale): the sums over windows of (Cf - Co)^2, of
Cf^2 and of Co^2, where C counts events in the window.  They merge over cases, and the score
is formed once: 1 - first / (second + third).

A value at or above the threshold is an event.  A point missing in either field is an event
in neither; `missing` counts such points.  With `edge="valid"` only windows inside the grid
count; with `"padded"` there is a window round every point and nothing outside the grid is
an event.  No event in either field: 0/0, NaN.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Edge = Literal["valid", "padded"]


@dataclass(frozen=True)
class FractionsSkill:
    """FSS states for window widths in points (`scales`)."""

    thresholds: tuple[float, ...]
    scales: tuple[int, ...]
    edge: Edge = "valid"
    threads: int | None = None

    def update(self, forecast: Field, truth: Field) -> State:
        """The state of one pair of (y, x) fields."""
        present = np.isfinite(forecast) & np.isfinite(truth)
        kind = np.result_type(forecast, truth)
        pair = tuple(np.ascontiguousarray(field, kind) for field in (forecast, truth))
        squares, events = _pass()(
            pair, present, self.thresholds, self.scales, self.edge == "padded", self.threads
        )
        names = ("difference", "forecast", "truth")
        arrays: dict[str, Any] = dict(zip(names, squares, strict=True))
        arrays |= {"forecast_events": events[0], "truth_events": events[1]}
        arrays["missing"] = np.array(present.size - present.sum(), np.int64)
        arrays["count"] = np.array(present.sum(), np.int64)
        return State(arrays)


def _pass() -> Any:
    """The compiled pass; without numba the NumPy one, with the same integers."""
    if importlib.util.find_spec("numba") is None:
        return window_squares
    from wxreg.scores import fss_kernel

    return fss_kernel.window_squares


def window_squares(
    pair: tuple[Field, Field],
    present: NDArray[np.bool_],
    thresholds: tuple[float, ...],
    scales: tuple[int, ...],
    padded: bool,
    threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums (3, thresholds, scales) of squares, and the events (2, thresholds), in NumPy."""
    squares = np.zeros((3, len(thresholds), len(scales)), np.int64)
    events = np.zeros((2, len(thresholds)), np.int64)
    for t, threshold in enumerate(thresholds):
        a, b = (_corner_sums((field >= threshold) & present) for field in pair)
        events[:, t] = a[-1, -1], b[-1, -1]
        for s, width in enumerate(scales):
            edge: Edge = "padded" if padded else "valid"
            f, o = (window_counts(table, width, edge).astype(np.int64) for table in (a, b))
            squares[:, t, s] = ((f - o) ** 2).sum(), (f**2).sum(), (o**2).sum()
    return squares, events


def _corner_sums(events: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Events above and left of every grid corner: (y+1, x+1)."""
    table = np.zeros((events.shape[0] + 1, events.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(events, 0, dtype=np.int32), 1, out=table[1:, 1:])
    return table


def window_edges(size: int, width: int, edge: Edge) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last point of every window along one axis.

    An even padded window reaches one point further back than forward, as SciPy's does.
    """
    if edge == "valid":
        first = np.arange(max(size - width + 1, 0))
        return first, first + width
    first = np.arange(size) - width // 2
    return np.clip(first, 0, size), np.clip(first + width, 0, size)


def window_counts(table: NDArray[np.int32], width: int, edge: Edge) -> NDArray[np.int32]:
    """Events in every window, from corner sums."""
    top, bottom = window_edges(table.shape[0] - 1, width, edge)
    left, right = window_edges(table.shape[1] - 1, width, edge)
    band = table[bottom] - table[top]
    counts: NDArray[np.int32] = band[:, right] - band[:, left]
    return counts


def fss(state: State) -> NDArray[np.float64]:
    """The score per (threshold, scale); NaN where neither field ever had an event."""
    with np.errstate(invalid="ignore", divide="ignore"):
        score: NDArray[np.float64] = 1 - state["difference"] / (state["forecast"] + state["truth"])
    return score


def useful_fss(state: State) -> NDArray[np.float64]:
    """The useful level 0.5 + f0/2 per threshold, with f0 the observed frequency."""
    with np.errstate(invalid="ignore", divide="ignore"):
        useful: NDArray[np.float64] = 0.5 + state["truth_events"] / (2.0 * state["count"])
    return useful
