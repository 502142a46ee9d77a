"""Mergeable moments and histograms: what statistics are made of while they are counted.

Moments are kept in float64 as (count, mean, sum of squared deviations, minimum, maximum) and
merged by Chan's formula, so that blocks may be read in any order by any number of workers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wxreg.specs import statistics as specs

_TILE: Final = 1 << 16
BINS: Final = 4096


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def _moments_of_tile(tile: NDArray[np.float32]) -> tuple[int, float, float, float, float]:
    """Shifted by one of the values, so that squares keep their digits far from zero."""
    shift = np.float64(0.0)
    for value in tile:
        if value == value:
            shift = np.float64(value)
            break
    count, total, squares = 0, 0.0, 0.0
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for value in tile:
        real = value == value
        distance = np.float64(value) - shift if real else 0.0
        count += 1 if real else 0
        total += distance
        squares += distance * distance
        low = value if value < low else low
        high = value if value > high else high
    if count == 0:
        return 0, 0.0, 0.0, np.inf, -np.inf
    mean = total / count
    return count, shift + mean, max(squares - count * mean * mean, 0.0), float(low), float(high)


@dataclass(frozen=True)
class Moments:
    """The moments of some numbers; the default is those of none."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """The sum of squared deviations from the mean."""
    minimum: float = math.inf
    maximum: float = -math.inf

    @classmethod
    def of(cls, values: NDArray[Any]) -> Moments:
        """Of the finite numbers among ``values``, read once, in tiles that fit the cache."""
        flat, total = np.ascontiguousarray(values, np.float32).reshape(-1), cls()
        for start in range(0, flat.size, _TILE):
            total = total.merged(cls(*_moments_of_tile(flat[start : start + _TILE])))
        return total

    def merged(self, other: Moments) -> Moments:
        """The moments of both together."""
        count = self.count + other.count
        if not count:
            return self
        delta = other.mean - self.mean
        return Moments(
            count=count,
            mean=self.mean + delta * other.count / count,
            squares=self.squares + other.squares + delta**2 * self.count * other.count / count,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
        )

    def finished(self) -> specs.Moments:
        """The numbers as a specification holds them; none where nothing was counted is an error."""
        return specs.Moments(
            count=self.count,
            mean=self.mean,
            std=math.sqrt(self.squares / self.count),
            minimum=self.minimum,
            maximum=self.maximum,
        )


@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins between declared bounds, with the two tails apart."""

    low: float
    high: float
    counts: NDArray[np.int64]
    """Below the bounds, the bins, above the bounds."""

    @classmethod
    def empty(cls, low: float, high: float) -> Histogram:
        """No counts yet."""
        return cls(low, high, np.zeros(BINS + 2, np.int64))

    def adding(self, values: NDArray[np.float32]) -> Histogram:
        """These counts and those of the finite numbers among ``values``."""
        counts, flat = self.counts.copy(), values.reshape(-1)
        scale, shift = np.float32(BINS / (self.high - self.low)), np.float32(self.low)
        for start in range(0, flat.size, _TILE):
            tile = flat[start : start + _TILE]
            bins = (tile - shift) * scale
            bins = bins[~np.isnan(bins)]
            np.clip(bins, -1, BINS, out=bins)
            np.floor(bins, out=bins)
            counts += np.bincount(bins.astype(np.int32) + 1, minlength=BINS + 2)
        return Histogram(self.low, self.high, counts)

    def merged(self, other: Histogram) -> Histogram:
        """The counts of both together; their bounds must agree."""
        if (self.low, self.high) != (other.low, other.high):
            raise ValueError("histograms of unlike bounds do not merge")
        return Histogram(self.low, self.high, self.counts + other.counts)

    def quantile(self, probability: float, minimum: float, maximum: float) -> float:
        """Linear within its bin; exact extremes take the place of the open tails."""
        edges = np.linspace(self.low, self.high, BINS + 1)
        edges = np.concatenate(([min(minimum, self.low)], edges, [max(maximum, self.high)]))
        total = np.concatenate(([0], np.cumsum(self.counts)))
        found = float(np.interp(probability * total[-1], total, edges))
        return min(max(found, minimum), maximum)
