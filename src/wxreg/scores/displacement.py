"""Displacement error: how far the forecast must move to lie on the truth.

Block by block, by phase correlation (Kuglin and Hines 1975) of Hann-windowed values with a
parabola through the peak.  A block with a missing point, or nearly constant in either field,
has no displacement and is counted in `undefined`.
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
class Displacement:
    """Blocks of `block` points; spacing in km."""

    dy: float
    dx: float
    block: int = 64

    def update(self, forecast: Field, truth: Field) -> State:
        """Sums over blocks of the displacement (km) and its size."""
        shifts, undefined = [], 0
        for i in range(0, truth.shape[0] - self.block + 1, self.block):
            for j in range(0, truth.shape[1] - self.block + 1, self.block):
                at = np.s_[i : i + self.block, j : j + self.block]
                shift = phase_shift(forecast[at], truth[at])
                if shift is None:
                    undefined += 1
                else:
                    shifts.append(shift)
        km = np.array(shifts, float).reshape(-1, 2) * (self.dy, self.dx)
        return State(
            {
                "y_km": np.array(km[:, 0].sum(), float),
                "x_km": np.array(km[:, 1].sum(), float),
                "distance_km": np.array(np.hypot(*km.T).sum(), float),
                "count": np.array(len(km), np.int64),
                "undefined": np.array(undefined, np.int64),
            }
        )


def phase_shift(forecast: Field, truth: Field) -> tuple[float, float] | None:
    """(y, x) points by which the forecast lies beyond the truth; None if undefined."""
    if not (np.isfinite(forecast).all() and np.isfinite(truth).all()):
        return None
    window = np.outer(np.hanning(truth.shape[0]), np.hanning(truth.shape[1]))
    first, second = (_departures(field) * window for field in (forecast, truth))
    cross = np.fft.fft2(first) * np.conj(np.fft.fft2(second))
    size = np.abs(cross)
    if size.max() <= 1e-12 * max(float(np.abs(truth).max()) ** 2, 1e-300):
        return None
    correlation = np.fft.ifft2(cross / np.maximum(size, 1e-6 * size.max())).real
    peak = tuple(int(k) for k in np.unravel_index(int(correlation.argmax()), correlation.shape))
    return _refined(correlation, peak, 0), _refined(correlation, peak, 1)


def _departures(field: Field) -> NDArray[np.float64]:
    return np.asarray(field - field.mean(dtype=float), float)


def _refined(surface: NDArray[np.float64], peak: tuple[int, ...], axis: int) -> float:
    size = surface.shape[axis]
    line = surface[:, peak[1]] if axis == 0 else surface[peak[0]]
    before, here, after = (line[(peak[axis] + step) % size] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    whole = peak[axis] - size if peak[axis] > size // 2 else peak[axis]
    return float(whole + offset)


def mean_displacement(state: State) -> NDArray[np.float64]:
    """Mean displacement over blocks, km."""
    return ratio(state["distance_km"], state["count"])
