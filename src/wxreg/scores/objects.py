"""Objects in a field: label, describe, match, merge, and score what was found and missed.

An object is an 8-connected region at or above a threshold (missing points are below it)
with at least `smallest` points.  Forecast and observed objects are matched greedily by an
interest score in [0, 1]: the mean of three falling functions of centroid distance, of area
ratio and of the difference in 90th-percentile intensity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Objects:
    """Properties, one row an object; centroids in km from the first point, area in km²."""

    labels: NDArray[np.int32]
    y: Floats
    x: Floats
    area: Floats
    total: Floats
    peak: Floats
    intensity: Floats
    orientation: Floats

    def __len__(self) -> int:
        return len(self.area)


def label_objects(
    field: Field, threshold: float, dy: float, dx: float, smallest: int = 1, gap: int = 0
) -> Objects:
    """Find objects; those within `gap` points of each other are merged into one.

    `total` and centroids are weighted by value; `intensity` is the 90th percentile within
    the object; `orientation` is the angle of the long axis, degrees from x, in (-90, 90].
    """
    from scipy import ndimage

    inside = np.isfinite(field) & (field >= threshold)
    grown = ndimage.maximum_filter(inside, 2 * gap + 1) if gap else inside
    labels, _ = ndimage.label(grown, np.ones((3, 3), int))
    labels = np.where(inside, labels, 0)
    at = np.flatnonzero(labels)
    sizes = np.bincount(labels.ravel()[at])
    kept = np.flatnonzero(sizes >= max(smallest, 1))
    renumber = np.zeros(max(sizes.size, labels.max(initial=0) + 1), np.int32)
    renumber[kept] = np.arange(1, kept.size + 1)
    return _describe(field, renumber[labels], kept.size, dy, dx)


def _describe(field: Field, labels: NDArray[np.int32], count: int, dy: float, dx: float) -> Objects:
    at = np.flatnonzero(labels)
    which = labels.ravel()[at] - 1
    values = field.ravel()[at].astype(float)
    rows, columns = np.divmod(at, field.shape[1])
    y, x = rows * dy, columns * dx

    def summed(quantity: Floats) -> Floats:
        return np.asarray(np.bincount(which, quantity, count), float)

    size, total = summed(np.ones(at.size)), summed(values)
    centre_y, centre_x = summed(values * y) / total, summed(values * x) / total
    off_y, off_x = y - centre_y[which], x - centre_x[which]
    angle = 0.5 * np.arctan2(2 * summed(off_x * off_y), summed(off_x**2) - summed(off_y**2))
    order = np.lexsort((values, which))
    ends = np.cumsum(size).astype(int)
    ranked = values[order]
    ninety = np.ceil(0.9 * size).astype(int) - 1 + ends - size.astype(int)
    return Objects(
        labels, centre_y, centre_x, size * dy * dx, total,
        ranked[ends - 1], ranked[ninety], np.degrees(angle),
    )  # fmt: skip


@dataclass(frozen=True)
class ObjectScores:
    """Match objects of one pair of fields.

    `reach_km` is the centroid distance at which interest in it has fallen to zero,
    `intensity_scale` the intensity difference likewise.
    """

    threshold: float
    dy: float
    dx: float
    smallest: int = 1
    gap: int = 0
    reach_km: float = 100.0
    intensity_scale: float = 20.0
    least_interest: float = 0.6

    def update(self, forecast: Field, truth: Field) -> State:
        """Counts of matched, false and missed objects, and sums of the matched differences."""
        found, real = (
            label_objects(field, self.threshold, self.dy, self.dx, self.smallest, self.gap)
            for field in (forecast, truth)
        )
        interest = self.interest(found, real)
        pairs = self.match(interest)
        i, j = np.array(pairs, int).reshape(-1, 2).T
        turn = np.abs(found.orientation[i] - real.orientation[j]) % 180
        sums = {
            "centroid_km": np.hypot(found.y[i] - real.y[j], found.x[i] - real.x[j]),
            "area_ratio": np.minimum(found.area[i], real.area[j])
            / np.maximum(found.area[i], real.area[j]),
            "area_difference": found.area[i] - real.area[j],
            "intensity_difference": found.intensity[i] - real.intensity[j],
            "orientation_difference": np.minimum(turn, 180 - turn),
            "interest": interest[i, j],
        }
        counts = {
            "matched": len(pairs),
            "false": len(found) - len(pairs),
            "missed": len(real) - len(pairs),
        }
        arrays: dict[str, Any] = {k: np.array(v.sum(), float) for k, v in sums.items()}
        return State(arrays | {k: np.array(v, np.int64) for k, v in counts.items()})

    def interest(self, found: Objects, real: Objects) -> Floats:
        """Interest of every (forecast, observed) pair."""
        distance = np.hypot(np.subtract.outer(found.y, real.y), np.subtract.outer(found.x, real.x))
        area = np.minimum.outer(found.area, real.area) / np.maximum.outer(found.area, real.area)
        strength = np.abs(np.subtract.outer(found.intensity, real.intensity))
        near = np.clip(1 - distance / self.reach_km, 0, 1)
        alike = np.clip(1 - strength / self.intensity_scale, 0, 1)
        return np.asarray((near + area + alike) / 3 * (near > 0), float)

    def match(self, interest: Floats) -> list[tuple[int, int]]:
        """Pairs, best first, each object at most once."""
        order = np.argsort(-interest, axis=None, kind="stable")
        used: tuple[set[int], set[int]] = (set(), set())
        pairs = []
        for flat in order[: np.count_nonzero(interest >= self.least_interest)]:
            i, j = (int(k) for k in np.unravel_index(flat, interest.shape))
            if i not in used[0] and j not in used[1]:
                pairs.append((i, j))
                used[0].add(i)
                used[1].add(j)
        return pairs
