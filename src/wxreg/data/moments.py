"""Mergeable moments: what statistics are made of while they are counted.

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
