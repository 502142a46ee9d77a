"""Radially averaged power spectra on grids of any shape, and the log-spectral distance.

Power is averaged over rings of physical wavenumber (cycles per length unit): ring k holds
wavenumbers within half a step of k/L, with L the longest side, up to the smallest of the
Nyquist wavenumbers.  The mean is removed; a Hann window is the default, since weather fields
are not periodic.  A field with a missing point has no spectrum: it counts in `missing` and
nowhere else.  A constant field has zero power.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


@lru_cache(maxsize=4)
def _rings(ny: int, nx: int, dy: float, dx: float) -> tuple[NDArray[np.intp], Floats, int]:
    """Ring of every half-plane coefficient, size of each ring, number of rings (overflow last)."""
    ky, kx = np.fft.fftfreq(ny, dy)[:, None], np.fft.rfftfreq(nx, dx)[None, :]
    step = 1 / max(ny * dy, nx * dx)
    rings = int(min(0.5 / dy, 0.5 / dx) / step + 1e-9) + 1
    ring = np.floor(np.hypot(ky, kx) / step + 0.5 + 1e-9).astype(np.intp)  # ties go up
    twice = np.full(ring.shape, 2.0)
    twice[:, 0] = 1
    if nx % 2 == 0:
        twice[:, -1] = 1
    ring = np.minimum(ring, rings)
    size = np.asarray(np.bincount(ring.ravel(), twice.ravel(), rings + 1)[:rings], float)
    ring.flags.writeable = twice.flags.writeable = size.flags.writeable = False
    return ring, size, rings


@lru_cache(maxsize=4)
def _hann(ny: int, nx: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return (
        np.hanning(ny + 1)[:-1].astype(np.float32)[:, None],
        np.hanning(nx + 1)[:-1].astype(np.float32),
    )


@dataclass(frozen=True)
class Spectrum:
    """Spectra of forecast and truth; `dy`, `dx` is the spacing in the units wanted (km)."""

    dy: float
    dx: float
    window: Literal["hann", "none"] = "hann"
    threads: int | None = None

    def update(self, forecast: Field, truth: Field) -> State:
        """The state of one pair: (y, x) fields, or (members, y, x) averaged over members."""
        members = forecast if forecast.ndim == 3 else forecast[None]
        if not (np.isfinite(members).all() and np.isfinite(truth).all()):
            zero = np.zeros(_rings(*truth.shape, self.dy, self.dx)[2])
            return _state(zero, zero, missing=1)
        power = np.mean([self.power(member) for member in members], axis=0)
        return _state(power, self.power(truth), missing=0)

    def power(self, field: Field) -> Floats:
        """Mean power per ring of one (y, x) field; times ring sizes it sums to the variance."""
        from scipy.fft import rfft2

        ring, size, rings = _rings(*field.shape, self.dy, self.dx)
        prepared = field - field.mean(dtype=float).astype(field.dtype)
        norm = float(field.size) ** 2
        if self.window == "hann":
            rows, columns = _hann(*field.shape)
            prepared *= rows
            prepared *= columns
            norm *= float((rows**2).mean(dtype=float) * (columns**2).mean(dtype=float))
        coefficients = rfft2(prepared, workers=self.threads or -1, overwrite_x=True)
        return ratio(_ring_sums(coefficients, ring, field.shape[1], rings), size * norm)

    def wavenumbers(self, shape: tuple[int, int]) -> Floats:
        """The wavenumber of each ring, in cycles per length unit."""
        rings = _rings(*shape, self.dy, self.dx)[2]
        return np.arange(rings) / max(shape[0] * self.dy, shape[1] * self.dx)


def _ring_sums(coefficients: NDArray[Any], ring: NDArray[np.intp], nx: int, rings: int) -> Floats:
    """Power summed over the whole plane, from the half that the real transform keeps."""
    if importlib.util.find_spec("numba") is not None:
        from wxreg.scores.spectrum_kernel import ring_power

        return ring_power(coefficients, ring, nx % 2 == 0, rings)
    power = coefficients.real.astype(float) ** 2 + coefficients.imag.astype(float) ** 2
    power[:, 1 : (nx + 1) // 2] *= 2
    return np.asarray(np.bincount(ring.ravel(), power.ravel(), rings + 1)[:rings], float)


def _state(forecast: Floats, truth: Floats, missing: int) -> State:
    return State(
        {
            "forecast_power": forecast,
            "truth_power": truth,
            "fields": np.array(1 - missing, np.int64),
            "missing": np.array(missing, np.int64),
        }
    )


def log_spectral_distance(state: State, first_ring: int = 1) -> Floats:
    """Root mean square over rings of 10 log10(forecast power / truth power), in dB.

    NaN if a ring has no power in either field, or no field was whole.
    """
    forecast, truth = (state[f"{side}_power"][..., first_ring:] for side in ("forecast", "truth"))
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * np.log10(ratio(forecast, truth))
        value = np.sqrt(np.mean(decibels**2, axis=-1))
    return np.asarray(np.where(np.isfinite(value), value, np.nan), float)
