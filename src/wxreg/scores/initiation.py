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
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frames:
    """A sequence of fields seen block by block: (time, blocks down, blocks across)."""

    active: NDArray[np.bool_]
    whole: NDArray[np.bool_]

    def onset(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Frame of onset per block (-1 for none), and whether the block can have one."""
        first = np.where(self.active.any(0), self.active.argmax(0), -1).astype(np.int64)
        return first, self.whole.all(0) & ~self.active[0]


@dataclass(frozen=True)
class Initiation:
    """Match onsets block by block, within `tolerance` frames."""

    threshold: float
    block: int = 8
    tolerance: int = 2

    def update(self, forecast: Field, truth: Field) -> State:
        """The state of one (time, y, x) pair."""
        return self.match(self.frames(forecast), self.frames(truth))

    def frames(self, field: Field) -> Frames:
        """Per block of (…, y, x): whether any point reaches the threshold, and whether all are
        there.
        """
        rows, columns = (size // self.block * self.block for size in field.shape[-2:])
        cut = field[..., :rows, :columns]
        shape = (*field.shape[:-2], rows // self.block, self.block, columns // self.block,
                 self.block)  # fmt: skip
        return Frames(
            np.asarray((cut >= self.threshold).reshape(shape).any((-3, -1))),
            np.asarray(np.isfinite(cut).reshape(shape).all((-3, -1))),
        )

    def match(self, forecast: Frames, truth: Frames) -> State:
        """Counts of one sequence, and the histogram of onset errors in frames.

        `timing` has 2 T - 1 entries, for errors -(T-1)..(T-1): forecast less observed.
        """
        (f, f_known), (o, o_known) = forecast.onset(), truth.onset()
        frames = len(truth.active)
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


def mean_timing_error(state: State) -> Floats:
    """Mean onset error in frames (positive: late); NaN without a block that both saw begin."""
    timing = state["timing"]
    return ratio((timing * timing_errors(timing.shape[-1])).sum(-1), timing.sum(-1))


def timing_shares(state: State) -> Floats:
    """The share of each onset error among the blocks that both saw begin."""
    return ratio(state["timing"], state["timing"].sum(-1, keepdims=True))


def timing_errors(size: int) -> NDArray[np.int64]:
    """The errors in frames that the entries of `timing` stand for."""
    return np.arange(size) - size // 2
