"""SAL: structure, amplitude and location of precipitation (Wernli et al. 2008, 2009).

Objects are plain 8-connected regions at or above R* = R95/15, with R95 the 95th percentile
of the wet points (>= `wet`) of each field.  Distances are scaled by the diagonal of the
domain in kilometres.  (pysteps scales by the diagonal of the shape in pixels and uses other
objects; its numbers differ.)  Missing points, in either field, are dry in both.  Without
an object in both fields S and L2 are NaN; with a dry field L is NaN; with both dry all are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.objects import label_objects
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
NAN = float("nan")


class SalValues(NamedTuple):
    """The three components of one pair."""

    structure: float
    amplitude: float
    location: float


class _Summary(NamedTuple):
    mean: float
    y: float
    x: float
    volume: float
    scatter: float


@dataclass(frozen=True)
class Sal:
    """SAL of (y, x) fields with spacing `dy`, `dx` in km."""

    dy: float
    dx: float
    wet: float = 0.1
    factor: float = 1 / 15

    def update(self, forecast: Field, truth: Field) -> State:
        """Sums over pairs of each component and of its size, with counts of defined ones."""
        values = np.array(self.values(forecast, truth))
        known = np.isfinite(values)
        kept = np.where(known, values, 0)
        return State({"sum": kept, "abs_sum": np.abs(kept), "count": known.astype(np.int64)})

    def values(self, forecast: Field, truth: Field) -> SalValues:
        """S, A and L of one pair."""
        present = np.isfinite(forecast) & np.isfinite(truth)
        f, o = (self._summary(np.where(present, field, 0)) for field in (forecast, truth))
        diagonal = float(np.hypot(truth.shape[0] * self.dy, truth.shape[1] * self.dx))
        first = np.hypot(f.y - o.y, f.x - o.x) / diagonal
        second = 2 * abs(f.scatter - o.scatter) / diagonal
        return SalValues(
            _contrast(f.volume, o.volume), _contrast(f.mean, o.mean), float(first + second)
        )

    def _summary(self, field: Field) -> _Summary:
        from scipy.ndimage import center_of_mass

        wet = field[field >= self.wet]
        mean = float(field.mean(dtype=float))
        if wet.size == 0:
            return _Summary(mean, NAN, NAN, NAN, NAN)
        cy, cx = (float(c) for c in center_of_mass(field.astype(float)))
        cy, cx = cy * self.dy, cx * self.dx
        threshold = float(np.percentile(wet, 95)) * self.factor
        found = label_objects(field, threshold, self.dy, self.dx)
        total = found.total.sum()
        volume = (found.total * found.total / found.peak).sum() / total
        distance = np.hypot(found.y - cy, found.x - cx)
        return _Summary(mean, cy, cx, float(volume), float((found.total * distance).sum() / total))


def _contrast(forecast: float, truth: float) -> float:
    """Difference over mean, -2 to 2; NaN for 0/0."""
    total = 0.5 * (forecast + truth)
    return (forecast - truth) / total if total > 0 else NAN
