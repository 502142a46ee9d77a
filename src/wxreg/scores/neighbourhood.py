"""Contingency counts of neighbourhood maxima: a near miss is a hit.

Both fields are replaced by the largest value in a square window round each point, then
counted as in `categorical`.  A point missing in either field is missing in both before the
windows are formed; a window with nothing in it counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import contingency, neighbourhood_maximum
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Neighbourhood:
    """Counts per threshold and odd window width in points."""

    thresholds: tuple[float, ...]
    windows: tuple[int, ...]

    def update(self, forecast: Field, truth: Field) -> State:
        """The state of one pair of (y, x) fields: `contingency` (thresholds, windows, 4)."""
        present = np.isfinite(forecast) & np.isfinite(truth)
        made, real = (np.where(present, field, np.nan) for field in (forecast, truth))
        counts = np.zeros((len(self.thresholds), len(self.windows), 4), np.int64)
        for w, width in enumerate(self.windows):
            f, o = (neighbourhood_maximum(field, width) for field in (made, real))
            known = np.isfinite(f)
            for t, threshold in enumerate(self.thresholds):
                counts[t, w] = contingency(f[known] >= threshold, o[known] >= threshold)
        return State({"contingency": counts})
