"""What moves: the steering wind of the whole world, and the waves that travel through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wxreg.data.embedded.clock import Floats

KM_PER_HOUR = 3.6
"""Kilometres an hour in one metre a second."""
_MEAN = (6.3, 1.2)
_SWINGS_X = ((0.9, 83.0, 0.3), (0.5, 31.0, 1.9), (0.4, 211.0, 4.0))
_SWINGS_Y = ((1.3, 117.0, 2.2), (0.7, 41.0, 0.6), (0.5, 263.0, 5.1))
"""Amplitude in m/s, period in hours, phase."""
SYNOPTIC, MESO = 6, 16


def steering(hours: Floats, shift: float = 0.0) -> tuple[Floats, Floats]:
    """Return the steering wind (m/s, world components): 4 to 9 m/s, slowly turning."""
    return _swing(_MEAN[0], _SWINGS_X, hours, shift), _swing(_MEAN[1], _SWINGS_Y, hours, shift)


def drift(hours: Floats, shift: float = 0.0) -> tuple[Floats, Floats]:
    """Return how far the steering wind has carried the air since the epoch, in km."""
    return (
        _drift(_MEAN[0], _SWINGS_X, hours, shift) * KM_PER_HOUR,
        _drift(_MEAN[1], _SWINGS_Y, hours, shift) * KM_PER_HOUR,
    )


def _swing(
    mean: float, swings: tuple[tuple[float, float, float], ...], hours: Floats, shift: float
) -> Floats:
    total = np.full(np.shape(hours), mean)
    for amplitude, period, phase in swings:
        total = total + amplitude * np.cos(2 * np.pi * hours / period + phase + shift)
    return total


def _drift(
    mean: float, swings: tuple[tuple[float, float, float], ...], hours: Floats, shift: float
) -> Floats:
    total = mean * np.asarray(hours, dtype=np.float64)
    for amplitude, period, phase in swings:
        rate = 2 * np.pi / period
        total = total + amplitude / rate * np.sin(rate * hours + phase + shift)
    return total


@dataclass(frozen=True)
class Waves:
    """Plane waves: synoptic ones with their own speed, mesoscale ones carried by the steering."""

    kx: Floats
    ky: Floats
    phase: Floats
    pulse: Floats
    """Periods (hours) and phases by which each wave waxes and wanes; shape (2, waves)."""
    shifts: Floats
    """Phase of each wave in each field; shape (fields, waves)."""
    shift: float

    def basis(self, x: Floats, y: Floats) -> Floats:
        """Return cosines and sines of the waves at the points; shape (points, 2 * waves)."""
        angle = np.outer(x.ravel(), self.kx) + np.outer(y.ravel(), self.ky) + self.phase
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)

    def coefficients(
        self, hours: Floats, amplitude: Floats, field: int, lag: float = 0.0
    ) -> Floats:
        """Return the weights of the basis for one field; shape (times, 2 * waves)."""
        hours = np.atleast_1d(hours)[:, None]
        dx, dy = drift(hours, self.shift)
        carried_x = np.concatenate(
            [np.broadcast_to(30.0 * hours, (len(hours), SYNOPTIC)), dx + np.zeros((1, MESO))],
            axis=1,
        )
        carried_y = np.concatenate(
            [np.broadcast_to(4.0 * hours, (len(hours), SYNOPTIC)), dy + np.zeros((1, MESO))], axis=1
        )
        angle = self.kx * carried_x + self.ky * carried_y - self.shifts[field] - lag
        strength = 0.85 + 0.4 * np.cos(2 * np.pi * hours / self.pulse[0] + self.pulse[1])
        scale = amplitude * strength
        return np.concatenate([scale * np.cos(angle), scale * np.sin(angle)], axis=1)


def make_waves(seed: int, fields: int) -> Waves:
    """Draw the waves of one world."""
    draw = np.random.Generator(np.random.Philox(seed))
    lengths = np.concatenate(
        [draw.uniform(1100.0, 2600.0, SYNOPTIC), np.geomspace(95.0, 380.0, MESO)]
    )
    angles = np.concatenate(
        [draw.uniform(-0.7, 0.7, SYNOPTIC), draw.uniform(-np.pi / 2, np.pi / 2, MESO)]
    )
    number = 2 * np.pi / lengths
    waves = SYNOPTIC + MESO
    return Waves(
        kx=number * np.cos(angles),
        ky=number * np.sin(angles),
        phase=draw.uniform(0.0, 2 * np.pi, waves),
        pulse=np.stack([draw.uniform(60.0, 220.0, waves), draw.uniform(0.0, 2 * np.pi, waves)]),
        shifts=draw.uniform(0.0, 2 * np.pi, (fields, waves)),
        shift=float(draw.uniform(0.0, 2 * np.pi)),
    )
