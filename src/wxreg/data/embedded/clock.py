"""Time in the embedded world: hours since 2000-01-01, and what the sun does with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPOCH = np.datetime64("2000-01-01T00", "h")
SOLAR_OFFSET = 7.0
"""Hours by which local solar time lags UTC in the world's longitudes."""


def hours_of(times: NDArray[np.datetime64]) -> Floats:
    """Return hours since the world's epoch."""
    return np.asarray((times - EPOCH) / np.timedelta64(1, "s"), dtype=np.float64) / 3600.0


def season(hours: Floats) -> Floats:
    """Return +1 in the middle of July and -1 in the middle of January."""
    return np.asarray(np.cos(2 * np.pi * (hours / 24.0 - 201.0) / 365.2425))


def heating(hours: Floats) -> Floats:
    """Return the diurnal cycle of the ground: about +1 at 15:30 local time, -1 before dawn."""
    local = hours - SOLAR_OFFSET
    first = np.cos(2 * np.pi * (local - 15.5) / 24.0)
    return np.asarray(first + 0.22 * np.cos(4 * np.pi * (local - 14.3) / 24.0))
