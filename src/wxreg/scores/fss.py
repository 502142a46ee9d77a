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
        events = np.zeros((2, len(self.thresholds)), np.int64)
        squares = np.zeros((3, len(self.thresholds), len(self.scales)), np.int64)
        tables = self._tables(forecast, truth, present)
        for t in range(len(self.thresholds)):
            pair = tables[2 * t], tables[2 * t + 1]
            events[:, t] = [table[-1, -1] for table in pair]
            squares[:, t] = self._squares(*pair)
        names = ("difference", "forecast", "truth")
        arrays: dict[str, Any] = dict(zip(names, squares, strict=True))
        arrays |= {"forecast_events": events[0], "truth_events": events[1]}
        arrays["missing"] = np.array(present.size - present.sum(), np.int64)
        arrays["count"] = np.array(present.sum(), np.int64)
        return State(arrays)

    def _tables(
        self, forecast: Field, truth: Field, present: NDArray[np.bool_]
    ) -> list[NDArray[np.int32]]:
        """Corner sums of forecast and truth, in turn, for each threshold."""
        jobs = [(field, t) for t in self.thresholds for field in (forecast, truth)]
        if importlib.util.find_spec("numba") is None:
            return [_corner_sums((field >= t) & present) for field, t in jobs]
        from wxreg.scores.compiling import in_parts
        from wxreg.scores.fss_kernel import corner_sums

        def work(start: int, stop: int) -> list[NDArray[np.int32]]:
            return [corner_sums(field, present, t) for field, t in jobs[start:stop]]

        return [table for part in in_parts(len(jobs), work, self.threads) for table in part]

    def _squares(self, a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.int64]:
        if importlib.util.find_spec("numba") is not None:
            from wxreg.scores.fss_kernel import window_squares

            return window_squares(a, b, self.scales, self.edge == "padded", self.threads)
        found = np.zeros((3, len(self.scales)), np.int64)
        for s, width in enumerate(self.scales):
            f = window_counts(a, width, self.edge).astype(np.int64)
            o = window_counts(b, width, self.edge).astype(np.int64)
            found[:, s] = ((f - o) ** 2).sum(), (f**2).sum(), (o**2).sum()
        return found


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
