"""`era5@mini-1`: an ARCO-style store, the area mean of the same weather on 0.25 degrees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from wxreg.data.embedded.background import GRAVITY
from wxreg.data.embedded.clock import Floats
from wxreg.data.embedded.places import LATLON_PROJ, Place, projected_place
from wxreg.data.embedded.surface import SurfaceDay, surface_day
from wxreg.data.embedded.weather import World
from wxreg.data.embedded.zarr_files import add_packed, add_plain, create_store, finish_store

STORE = "full_37-1h-0p25deg-chunk-1.zarr-v3"
NORTH, WEST, ROWS, COLUMNS, STEP = 42.75, 249.75, 27, 52, 0.25
"""Centre of the north-west cell (longitude 0 to 360), and the shape of the crop."""
FINE = 3
"""Points a side by which the mean over a cell is taken."""
START = np.datetime64("2021-05-01T00", "h")
FINAL_UNTIL = np.datetime64("2021-08-20T23", "h")
DATA_UNTIL = np.datetime64("2021-08-31T23", "h")
AXIS_UNTIL = np.datetime64("2021-09-07T23", "h")
"""The axis runs on beyond the data; those chunks do not exist and read as missing."""
FIELDS = {
    "2m_temperature": ((0.25, 273.0), "K", "2 metre temperature"),
    "10m_u_component_of_wind": ((0.5, 0.0), "m s**-1", "10 metre U wind component"),
    "10m_v_component_of_wind": ((0.5, 0.0), "m s**-1", "10 metre V wind component"),
    "total_precipitation": ((1e-4, 0.0), "m", "Total precipitation"),
}


def era5_place() -> Place:
    """Return the points, FINE x FINE a cell, from south to north, that the means are taken of."""
    step = STEP / FINE
    inset = STEP / 2 - step / 2
    south = NORTH - STEP * (ROWS - 1)
    return projected_place(
        LATLON_PROJ, WEST - 360.0 - inset, south - inset, step, ROWS * FINE, COLUMNS * FINE
    )


def write_era5(out: Path) -> Iterator[str]:
    """Write the store under `out/era5/mini-1`; yields what is done."""
    world, place = World(), era5_place()
    path = out / "era5" / "mini-1" / STORE
    arrays = _start(path, place)
    days = np.arange(START.astype("datetime64[D]"), DATA_UNTIL.astype("datetime64[D]") + 1)
    before = era5_values(place, surface_day(world, place, days[0] - 1))
    for index, day in enumerate(days):
        values = era5_values(place, surface_day(world, place, day))
        for name, array in arrays.items():
            array[24 * index] = before[name][-1]
            array[24 * index + 1 : 24 * index + 24] = values[name][:-1]
        before = values
    finish_store(path)
    yield "era5@mini-1"


def era5_values(place: Place, weather: SurfaceDay) -> dict[str, Floats]:
    """Return the hours of a day on the 0.25-degree grid, rows from north to south."""
    east, north = place.to_east_north(weather.u10, weather.v10)
    return {
        "2m_temperature": cell_mean(weather.t2m),
        "10m_u_component_of_wind": cell_mean(east),
        "10m_v_component_of_wind": cell_mean(north),
        "total_precipitation": cell_mean(weather.rain) / 1000.0,
    }


def cell_mean(fine: Floats) -> Floats:
    """Return the means over cells, turned to run from north to south."""
    blocks = fine.reshape(*fine.shape[:-2], ROWS, FINE, COLUMNS, FINE)
    return np.asarray(blocks.mean(axis=(-3, -1))[..., ::-1, :])


def _start(path: Path, place: Place) -> dict[str, zarr.Array[Any]]:
    group = create_store(
        path,
        {
            "valid_time_start": "2021-05-01",
            "valid_time_stop": "2021-08-20",
            "valid_time_stop_era5t": "2021-08-31",
            "last_updated": "2021-09-05 06:12:44.000000+00:00",
        },
    )
    count = int((AXIS_UNTIL - START).astype(int)) + 1
    since_1900 = int((START - np.datetime64("1900-01-01T00", "h")).astype(int))
    hours = since_1900 + np.arange(count)
    units = {"units": "hours since 1900-01-01", "calendar": "proleptic_gregorian"}
    add_plain(group, "time", ("time",), hours, units)
    lat = (NORTH - STEP * np.arange(ROWS)).astype(np.float32)
    lon = (WEST + STEP * np.arange(COLUMNS)).astype(np.float32)
    add_plain(group, "latitude", ("latitude",), lat, {"units": "degrees_north"})
    add_plain(group, "longitude", ("longitude",), lon, {"units": "degrees_east"})
    static = {
        "geopotential_at_surface": (GRAVITY * place.ground.height, "m**2 s**-2"),
        "land_sea_mask": (place.ground.land, "(0 - 1)"),
    }
    for name, (values, unit) in static.items():
        field = cell_mean(values).astype(np.float32)
        add_plain(group, name, ("latitude", "longitude"), field, {"units": unit})
    dims, shape = ("time", "latitude", "longitude"), (count, ROWS, COLUMNS)
    return {
        name: add_packed(group, name, dims, shape, packing, {"units": unit, "long_name": words})
        for name, (packing, unit, words) in FIELDS.items()
    }
