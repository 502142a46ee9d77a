"""Convective initiation: where and when a storm first appears.

Onset at a block of points is the first frame in which any point reaches the threshold, after
a first frame without any.  A block with an event already in the first frame has no onset and
is left out; so is one with a missing point in a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Initiation:
    """Match onsets block by block, within `tolerance` frames."""

    threshold: float
    block: int = 8
    tolerance: int = 2

    def update(self, forecast: Field, truth: Field) -> State:
        """Counts of one (time, y, x) pair, and the histogram of onset errors in frames.

        `timing` has 2 T - 1 entries, for errors -(T-1)..(T-1): forecast less observed.
        """
        f, f_known = self.onset(forecast)
        o, o_known = self.onset(truth)
        frames = len(truth)
        known = f_known & o_known
        both = known & (f >= 0) & (o >= 0)
        error = (f - o)[both]
        hits = int((np.abs(error) <= self.tolerance).sum())
        observed, predicted = int((known & (o >= 0)).sum()), int((known & (f >= 0)).sum())
        quiet = int((known & (f < 0) & (o < 0)).sum())
        counts = np.array([hits, observed - hits, predicted - hits, quiet], np.int64)
        timing = np.bincount(error + frames - 1, minlength=2 * frames - 1).astype(np.int64)
        left_out = np.array((~known).sum(), np.int64)
        return State({"contingency": counts, "timing": timing, "left_out": left_out})

    def onset(self, series: Field) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Frame of onset per block (-1 for none), and whether the block can have one."""
        rows, columns = (size // self.block * self.block for size in series.shape[1:])
        cut = series[:, :rows, :columns]
        shape = (len(series), rows // self.block, self.block, columns // self.block, self.block)
        whole = np.asarray(np.isfinite(cut).reshape(shape).all((0, 2, 4)))
        active = np.asarray((cut >= self.threshold).reshape(shape).any((2, 4)))
        first = np.where(active.any(0), active.argmax(0), -1).astype(np.int64)
        return first, whole & ~active[0]


def mean_timing_error(state: State) -> float:
    """Mean onset error in frames (positive: late); NaN without a block that both saw begin."""
    timing = state["timing"]
    errors = np.arange(len(timing)) - len(timing) // 2
    return float(ratio((timing * errors).sum(), timing.sum()))
