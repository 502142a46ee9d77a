"""The whole weather: background and storms together, at a grid, for any hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wxreg.data.embedded.background import Air, Background, Climate
from wxreg.data.embedded.clock import Floats
from wxreg.data.embedded.motion import steering
from wxreg.data.embedded.places import Place
from wxreg.data.embedded.storms import Cells, Moment, StormCatalogue, draw_cells, moment

WORLD_SEED = 2023
NO_ECHO = -10.0


@dataclass(frozen=True)
class StormFields:
    """What the cells do at one time: rain in mm/h, chill in K, outflow in m/s."""

    rain: Floats
    low: Floats
    """Rain-equivalent at 1 km, strong in old cells."""
    high: Floats
    """Rain-equivalent at 4 km, strong in young cells."""
    rising: Floats
    """Updraft, m/s."""
    spin: Floats
    chill: Floats
    out_u: Floats
    out_v: Floats


class World:
    """One atmosphere: a background and its storms."""

    def __init__(self, seed: int = WORLD_SEED, climate: Climate | None = None) -> None:
        self.background = Background(seed, climate)
        self.storms = StormCatalogue(self.background, seed)

    def air(self, place: Place, hours: Floats) -> Air:
        """Return the storm-free surface air; fields have shape (times, y, x)."""
        return self.background.at_grid(hours, place.x, place.y, place.ground)

    def orographic(self, place: Place, hour: float) -> Floats:
        """Return by what the ground multiplies rain: upslope and crests get more."""
        vx, vy = steering(np.asarray(hour), self.background.waves.shift)
        soil = place.ground
        upslope = np.tanh((vx * soil.slope_x + vy * soil.slope_y) / 130.0)
        return np.asarray(np.clip(1.0 + 0.5 * upslope + 0.45 * np.tanh(soil.relief / 110), 0.2, 2))

    def layered_rain(self, air: Air, place: Place, hour: float) -> Floats:
        """Return the wide, gentle rain of strong lift in moist air, in mm/h."""
        wet = np.clip(air.lift - 1.15, 0.0, None) * np.exp(
            -np.clip(air.depression - 4, 0, None) / 5
        )
        return np.asarray(2.4 * wet * self.orographic(place, hour))

    def cells(self, hours: Floats) -> Cells:
        """Return all cells that matter for these hours and the hour after each."""
        return self.storms.between(float(hours.min()) - 1.0, float(hours.max()) + 1.5)

    def storm_rain(self, place: Place, cells: Cells, hour: float) -> Floats:
        """Return the rain of the cells alone, in mm/h."""
        now = moment(cells.keep(_living(cells, hour, 0.0)), hour)
        rain = draw_cells(place, now, (now.cells.peak * now.strength)[None], 1.0)[0]
        return np.asarray(rain * self.orographic(place, hour))

    def storm_fields(self, place: Place, cells: Cells, hour: float) -> StormFields:
        """Return everything the cells do at one time."""
        now = moment(cells.keep(_living(cells, hour, 3.0)), hour)
        peak = now.cells.peak * now.strength
        old = np.clip(now.age, 0.0, 1.0)
        aloft = np.stack([peak, peak * (0.25 + 0.75 * old), peak * (1.0 - 0.8 * old)])
        rain, low, high = draw_cells(place, now, aloft, 1.0) * self.orographic(place, hour)
        lifting = np.stack(
            [
                0.35 * peak**0.8 * np.clip(now.growth + 0.35, -0.3, 1.0),
                now.cells.spin * now.strength**2,
            ]
        )
        rising, spin = draw_cells(place, now, lifting, 0.75)
        chill, out_u, out_v = _cold_pool(place, now)
        return StormFields(rain, low, high, rising, spin, chill, out_u, out_v)


def _living(cells: Cells, hour: float, after: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray((cells.born < hour) & (cells.born + cells.life + after > hour))


def _cold_pool(place: Place, now: Moment) -> tuple[Floats, Floats, Floats]:
    """Return the chill (K, positive) and the wind that blows out of it."""
    cold = 0.30 * np.sqrt(now.cells.peak) * now.chill
    push = 0.055 * cold
    weights = np.stack([cold, push, push * now.x, push * now.y])
    pool, mass, mass_x, mass_y = draw_cells(place, now, weights, 1.9, reach=3.3)
    return pool, mass * place.x - mass_x, mass * place.y - mass_y


def reflectivity(rain: Floats) -> Floats:
    """Return dBZ of rain in mm/h (Z = 300 R^1.4), never below the no-echo value."""
    echo = 24.77 + 14.0 * np.log10(np.maximum(rain, 1e-6))
    return np.asarray(np.clip(echo, NO_ECHO, 74.0))
