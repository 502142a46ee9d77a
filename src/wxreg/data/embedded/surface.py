"""One day of surface weather at a place: what CONUS404 and ERA5 both look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wxreg.data.embedded.background import Air
from wxreg.data.embedded.clock import Floats, hours_of
from wxreg.data.embedded.places import Place
from wxreg.data.embedded.weather import World

RAIN_STEPS = 4
"""Looks at the rain within each hour."""


@dataclass(frozen=True)
class SurfaceDay:
    """The hours 1 to 24 of a UTC day; shape (24, y, x), winds in world components."""

    t2m: Floats
    dewpoint: Floats
    u10: Floats
    v10: Floats
    mslp: Floats
    rain: Floats
    """Millimetres in the hour that ends at the time."""


def surface_day(world: World, place: Place, day: np.datetime64) -> SurfaceDay:
    """Return the weather of one UTC day."""
    hours = hours_of(day.astype("datetime64[h]") + np.arange(1, 25) * np.timedelta64(1, "h"))
    return surface_hours(world, place, hours)


def surface_hours(world: World, place: Place, hours: Floats) -> SurfaceDay:
    """Return the weather at the given hours, and the rain of the hour before each."""
    cells = world.cells(hours)
    air = world.air(place, hours)
    storms = [world.storm_fields(place, cells, float(hour)) for hour in hours]
    chill = np.stack([storm.chill for storm in storms])
    t2m = air.t2m - chill
    rain = [_hour_of_rain(world, place, air, i, float(hour)) for i, hour in enumerate(hours)]
    return SurfaceDay(
        t2m=t2m,
        dewpoint=t2m - air.depression * np.exp(-0.15 * chill),
        u10=air.u10 + np.stack([storm.out_u for storm in storms]),
        v10=air.v10 + np.stack([storm.out_v for storm in storms]),
        mslp=air.mslp + 25.0 * chill,
        rain=np.stack(rain),
    )


def _hour_of_rain(world: World, place: Place, air: Air, index: int, hour: float) -> Floats:
    """Return mm in the hour that ends at `hour`."""
    cells = world.cells(np.array([hour]))
    looks = hour - 1.0 + (np.arange(RAIN_STEPS) + 0.5) / RAIN_STEPS
    storms = np.mean([world.storm_rain(place, cells, float(look)) for look in looks], axis=0)
    now = Air(**{name: getattr(air, name)[index] for name in Air.__dataclass_fields__})
    return np.asarray(storms + world.layered_rain(now, place, hour))
