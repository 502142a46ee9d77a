"""The air without storms: temperature, moisture, wind, pressure and instability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wxreg.data.embedded.clock import Floats, heating, season
from wxreg.data.embedded.motion import MESO, SYNOPTIC, Waves, make_waves, steering
from wxreg.data.embedded.terrain import Ground

Waving = Callable[[Floats], Floats]
"""Turns the weights of the waves into a field at the points asked for."""
GRAVITY, DRY_AIR, LAPSE = 9.80665, 287.05, 0.0065
_FIELDS = ("temperature", "moisture", "stream", "pressure", "lift", "aloft")
_AMPLITUDES = {
    "temperature": (2.4, 1.6),
    "moisture": (3.0, 2.4),
    "pressure": (330.0, 45.0),
    "lift": (0.75, 0.95),
    "aloft": (1.2, 0.8),
}
"""Standard deviation carried by the synoptic and by the mesoscale waves."""
_STREAM = (2.4, 1.9)
"""The same for the wind speed, in m/s."""


@dataclass(frozen=True)
class Climate:
    """What a free-running model may have wrong, and what a warmer world changes."""

    warming: float = 0.0
    moistening: float = 0.0
    rain_factor: float = 1.0


@dataclass(frozen=True)
class Air:
    """The surface air without storms; winds are world components."""

    t2m: Floats
    depression: Floats
    u10: Floats
    v10: Floats
    mslp: Floats
    lift: Floats
    aloft: Floats
    """Anomaly of the free troposphere in kelvin."""
    lapsed: Floats
    """Sea-level temperature of the free troposphere's profile."""
    heat: Floats


class Background:
    """The storm-free atmosphere of one seed."""

    def __init__(self, seed: int, climate: Climate | None = None) -> None:
        self.waves: Waves = make_waves(seed, len(_FIELDS))
        self.climate = climate or Climate()

    def at_grid(self, hours: Floats, x: Floats, y: Floats, ground: Ground) -> Air:
        """Return the air at every point for every hour; fields have shape (times, *points)."""
        basis = self.waves.basis(x, y)
        shape = (len(hours), *x.shape)

        def wave(weights: Floats) -> Floats:
            return (weights @ basis.T).reshape(shape)

        column = hours.reshape((-1,) + (1,) * x.ndim)
        return self._air(hours, column, wave, ground)

    def at_points(self, hours: Floats, x: Floats, y: Floats, ground: Ground) -> Air:
        """Return the air at points that each have their own time; all arrays have one shape."""
        basis = self.waves.basis(x, y)

        def wave(weights: Floats) -> Floats:
            return np.asarray((weights * basis).sum(axis=1))

        return self._air(hours, hours, wave, ground)

    def _air(self, hours: Floats, column: Floats, wave: Waving, ground: Ground) -> Air:
        fields = {
            name: wave(self.waves.coefficients(hours, _spread(pair), _FIELDS.index(name)))
            for name, pair in _AMPLITUDES.items()
        }
        gust_u, gust_v = self._stream(hours, wave)
        heat, year = heating(column), season(column)
        sun = heat * (0.15 + 0.85 * ground.land) * (1.0 + 0.12 * year)
        lapsed = 297.5 + 10.5 * year + fields["temperature"] + self.climate.warming
        valley = -ground.relief / 150.0
        t2m = lapsed - LAPSE * ground.height + sun * (5.6 + 0.9 * valley) + 0.5 * valley
        depression = self._depression(column, sun, fields["moisture"], ground)
        vx, vy = steering(column, self.waves.shift)
        mixing = 0.38 + 0.10 * heat
        return Air(
            t2m=t2m,
            depression=depression,
            u10=mixing * vx + gust_u + 0.055 * heat * _bounded(ground.slope_x),
            v10=mixing * vy + gust_v + 0.055 * heat * _bounded(ground.slope_y),
            mslp=101500.0
            - 250.0 * year
            + fields["pressure"]
            + 70.0 * np.cos(2 * np.pi * (column - 4.0) / 12.0)
            - 90.0 * sun,
            lift=fields["lift"],
            aloft=fields["aloft"],
            lapsed=lapsed,
            heat=heat + np.zeros_like(t2m),
        )

    def _stream(self, hours: Floats, wave: Waving) -> tuple[Floats, Floats]:
        """Return the wind of the stream function: it has no divergence."""
        number = np.hypot(self.waves.kx, self.waves.ky)
        speed, index = _spread(_STREAM) / number, _FIELDS.index("stream")
        quarter = np.pi / 2
        u = wave(self.waves.coefficients(hours, speed * self.waves.ky, index, quarter))
        v = wave(self.waves.coefficients(hours, -speed * self.waves.kx, index, quarter))
        return u * np.sqrt(2.0), v * np.sqrt(2.0)

    def _depression(self, column: Floats, sun: Floats, moisture: Floats, ground: Ground) -> Floats:
        """Return temperature minus dewpoint: always above 0.6 K."""
        dry = 7.5 + 4.2 * sun - moisture + 0.0015 * (ground.height - 1400.0)
        dry = dry - 2.5 * season(column) - 3.0 * (1.0 - ground.land) - self.climate.moistening
        return 0.6 + 2.0 * np.logaddexp(0.0, dry / 2.0)


def _spread(pair: tuple[float, float]) -> Floats:
    """Return the amplitude of each wave so that the two groups have these deviations."""
    return np.concatenate(
        [
            np.full(SYNOPTIC, pair[0] * np.sqrt(2.0 / SYNOPTIC)),
            np.full(MESO, pair[1] * np.sqrt(2.0 / MESO)),
        ]
    )


def _bounded(slope: Floats) -> Floats:
    return 35.0 * np.tanh(slope / 35.0)


def surface_pressure(air_temperature: Floats, mslp: Floats, height: Floats) -> Floats:
    """Return the pressure at `height` under a standard lapse rate."""
    mean = air_temperature + 0.5 * LAPSE * height
    return np.asarray(mslp * np.exp(-GRAVITY * height / (DRY_AIR * mean)))


def saturation_pressure(temperature: Floats) -> Floats:
    """Return the vapour pressure over water in Pa (Bolton 1980)."""
    celsius = temperature - 273.15
    return np.asarray(611.2 * np.exp(17.67 * celsius / (celsius + 243.5)))


def specific_humidity(dewpoint: Floats, pressure: Floats) -> Floats:
    """Return kg of vapour in a kg of moist air."""
    vapour = saturation_pressure(dewpoint)
    return np.asarray(0.622 * vapour / (pressure - 0.378 * vapour))


def free_air(air: Air, level: float) -> tuple[Floats, Floats]:
    """Return height (m) and temperature (K) on a pressure surface (Pa)."""
    sea_level = air.lapsed + 0.4 * air.aloft
    ratio = 1.0 - (level / air.mslp) ** (DRY_AIR * LAPSE / GRAVITY)
    height = sea_level / LAPSE * ratio
    return height, sea_level - LAPSE * height - 1.5 * air.aloft * (101325.0 - level) / 5e4


def buoyancy(air: Air, t2m: Floats, dewpoint: Floats, pressure: Floats) -> Floats:
    """Return by how many kelvin a surface parcel's theta-e exceeds saturation at 500 hPa."""
    vapour = saturation_pressure(dewpoint)
    ratio = 0.622 * vapour / (pressure - vapour)
    parcel = t2m * (1e5 / pressure) ** 0.2854 * np.exp(2.5e6 * ratio / (1004.0 * t2m))
    _, t500 = free_air(air, 5e4)
    moist = 0.622 * saturation_pressure(t500) / 5e4
    aloft = t500 * 2.0**0.2854 * np.exp(2.5e6 * moist / (1004.0 * t500))
    return np.asarray(parcel - aloft)


def instability(air: Air, excess: Floats) -> tuple[Floats, Floats]:
    """Return CAPE (>= 0) and CIN (<= 0) in J/kg for a parcel's excess in kelvin."""
    cape = 330.0 * np.logaddexp(0.0, excess / 2.0)
    cape = 5000.0 * np.tanh(cape / 5000.0)
    lid = 45.0 - 38.0 * air.heat + 14.0 * air.aloft - 10.0 * air.lift
    cin = -3.0 - 12.0 * np.logaddexp(0.0, lid / 12.0)
    return np.where(cape < 5.0, 0.0, cape), np.where(cape < 5.0, 0.0, cin)
