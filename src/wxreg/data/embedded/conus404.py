"""`conus404@mini-1`: an hourly and a daily WRF-style store on a crop of the CONUS404 grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wxreg.data.embedded.clock import Floats
from wxreg.data.embedded.places import CONUS404_PROJ, Place, projected_place
from wxreg.data.embedded.surface import SurfaceDay, surface_day
from wxreg.data.embedded.weather import World
from wxreg.data.embedded.zarr_files import (
    add_packed,
    add_plain,
    create_store,
    finish_store,
)

Hours = NDArray[np.datetime64]
Packed = tuple[tuple[float, float], str, str]
"""Packing (step, offset), units, and what it is."""
NX, NY, STEP = 240, 136, 4000.0
X0, Y0 = -956_000.0, -192_000.0
"""Lower-left cell centre in metres of the CONUS404 projection."""
DAYS = (np.datetime64("2021-05-01", "D"), np.datetime64("2021-09-01", "D"))
HOURLY_DAYS = (np.datetime64("2021-07-05", "D"), np.datetime64("2021-07-17", "D"))
HOURLY = {
    "PREC_ACC_NC": ((0.1, 0.0), "mm", "accumulated grid scale precipitation over the hour"),
}
DAILY = {
    "PREC_ACC_NC": ((0.25, 0.0), "mm", "accumulated grid scale precipitation over the day"),
    "T2MAX": ((0.25, 273.0), "K", "highest temperature at 2 m of the day"),
}
_CRS = {
    "grid_mapping_name": "lambert_conformal_conic",
    "standard_parallel": [30.0, 50.0],
    "latitude_of_projection_origin": 39.100006,
    "longitude_of_central_meridian": -97.9,
    "false_easting": 0.0,
    "false_northing": 0.0,
    "earth_radius": 6370000.0,
}
_ATTRIBUTES = {
    "TITLE": "OUTPUT FROM A SYNTHETIC WORLD IN THE LAYOUT OF CONUS404",
    "DX": STEP,
    "DY": STEP,
    "MAP_PROJ": 1,
    "TRUELAT1": 30.0,
    "TRUELAT2": 50.0,
    "MOAD_CEN_LAT": 39.100006,
    "STAND_LON": -97.9,
}


def conus404_place() -> Place:
    """Return the crop as a place of the world."""
    return projected_place(CONUS404_PROJ, X0, Y0, STEP, NY, NX)


def write_conus404(out: Path) -> Iterator[str]:
    """Write both stores under `out/conus404/mini-1`; yields what is done."""
    world, place = World(), conus404_place()
    root = out / "conus404" / "mini-1"
    days = DAYS[0] + np.arange(int((DAYS[1] - DAYS[0]).astype(np.int64)))
    daily_path, hourly_path = root / "conus404_daily.zarr", root / "conus404_hourly.zarr"
    first_hour = HOURLY_DAYS[0].astype("datetime64[h]")
    length = 24 * int((HOURLY_DAYS[1] - HOURLY_DAYS[0]).astype(np.int64))
    hour_times = first_hour + np.arange(1, length + 1) * np.timedelta64(1, "h")
    daily = _start(daily_path, place, days.astype("datetime64[h]"), DAILY, 8)
    hourly = _start(hourly_path, place, hour_times, HOURLY, 24)
    buffer: dict[str, list[Floats]] = {name: [] for name in DAILY}
    for index, day in enumerate(days):
        weather = surface_day(world, place, day)
        for name, values in daily_values(weather).items():
            buffer[name].append(values)
        if len(buffer["T2MAX"]) == 8 or index == len(days) - 1:
            for name, fields in buffer.items():
                daily[name][index + 1 - len(fields) : index + 1] = np.stack(fields)
                fields.clear()
        if HOURLY_DAYS[0] <= day < HOURLY_DAYS[1]:
            first = 24 * int((day - HOURLY_DAYS[0]).astype(np.int64))
            for name, values in hourly_values(weather).items():
                hourly[name][first : first + 24] = values
    finish_store(daily_path)
    finish_store(hourly_path)
    yield "conus404@mini-1"


def daily_values(weather: SurfaceDay) -> dict[str, Floats]:
    """Return one day of the daily store."""
    return {"PREC_ACC_NC": weather.rain.sum(axis=0), "T2MAX": weather.t2m.max(axis=0)}


def hourly_values(weather: SurfaceDay) -> dict[str, Floats]:
    """Return 24 hours of the hourly store, stamped at the end of the hour."""
    return {"PREC_ACC_NC": weather.rain}


def _start(
    path: Path, place: Place, times: Hours, table: Mapping[str, Packed], chunk: int
) -> dict[str, zarr.Array[Any]]:
    """Make a store with its coordinates and ground; return its empty weather arrays."""
    group = create_store(path, _ATTRIBUTES)
    _add_coordinates(group, place, times)
    soil = place.ground
    grid = {"grid_mapping": "crs", "coordinates": "lat lon"}
    add_plain(
        group, "HGT", ("y", "x"), np.round(soil.height).astype(np.float32),
        {"units": "m", "description": "Terrain Height", **grid},
    )  # fmt: skip
    add_plain(
        group, "LANDMASK", ("y", "x"), np.round(soil.land).astype(np.float32),
        {"units": "", "description": "LAND MASK (1 FOR LAND, 0 FOR WATER)", **grid},
    )  # fmt: skip
    shape = (len(times), NY, NX)
    return {
        name: add_packed(
            group, name, ("time", "y", "x"), shape, packing,
            {"units": units, "long_name": words, **grid}, chunk,
        )
        for name, (packing, units, words) in table.items()
    }  # fmt: skip


def _add_coordinates(group: zarr.Group, place: Place, times: Hours) -> None:
    since = "hours since 1979-10-01 00:00:00"
    hours = ((times - np.datetime64("1979-10-01T00")) / np.timedelta64(1, "h")).astype(np.int64)
    add_plain(group, "time", ("time",), hours, {"units": since, "calendar": "proleptic_gregorian"})
    for name, count, first in (("y", NY, Y0), ("x", NX, X0)):
        words = {"units": "m", "standard_name": f"projection_{name}_coordinate"}
        add_plain(group, name, (name,), first + STEP * np.arange(count), words)
    add_plain(group, "lat", ("y", "x"), place.lat.astype(np.float32), {"units": "degrees_north"})
    add_plain(group, "lon", ("y", "x"), place.lon.astype(np.float32), {"units": "degrees_east"})
    add_plain(group, "crs", (), np.asarray(0, dtype=np.int64), _CRS)
