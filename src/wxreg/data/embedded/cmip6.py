"""`cmip6@mini-1`: a Pangeo-like catalogue of two free-running, biased models.

One has a noleap calendar and Zarr stores, historical and a warmer scenario; the other a
360-day calendar, NetCDF files that overlap by a month, and a non-commercial licence.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cftime
import numpy as np
import xarray as xr
from numcodecs import Blosc

from wxreg.data.embedded.background import (
    Background,
    Climate,
    buoyancy,
    instability,
    surface_pressure,
)
from wxreg.data.embedded.clock import Floats
from wxreg.data.embedded.places import LATLON_PROJ, Place, projected_place
from wxreg.data.embedded.terrain import Ground

COLUMNS = (
    "activity_id", "institution_id", "source_id", "experiment_id", "member_id", "table_id",
    "variable_id", "grid_label", "zstore", "dcpp_init_year", "version",
)  # fmt: skip
SOUTH, WEST, STEP, ROWS, COLUMNS_X = 36.25, -110.0, 1.25, 6, 11
MEMBER, VERSION = "r1i1p1f1", "v20231121"
_LOOKS = np.arange(0.0, 24.0, 3.0) + 1.5
_OPEN = "CC BY 4.0"
_NON_COMMERCIAL = "CC BY-NC-SA 4.0"
_LICENCE = (
    "CMIP6-like model data produced by WXREG is licensed under a Creative Commons {} License "
    "(https://creativecommons.org/licenses/)."
)
_WORDS = {
    "pr": ("kg m-2 s-1", "precipitation_flux", "area: time: mean"),
    "tas": ("K", "air_temperature", "area: time: mean"),
    "tasmax": ("K", "air_temperature", "area: mean time: maximum"),
}
_STEPS = {"pr": 2.0**-20, "tas": 0.125, "tasmax": 0.125}
"""Values are whole multiples of these."""


@dataclass(frozen=True)
class Model:
    """A free-running model: its own weather, its own faults."""

    source: str
    institution: str
    seed: int
    calendar: str
    licence: str
    bias: float
    """Kelvin too warm."""
    drizzle: float
    """Millimetres a day of rain too often."""


OPEN_MODEL = Model("WX-ESM1-LR", "WXREG", 31, "noleap", _OPEN, 1.6, 0.35)
CLOSED_MODEL = Model("WX-ESM1-NC", "WXREG-NC", 47, "360_day", _NON_COMMERCIAL, -1.1, 0.15)
EXPERIMENTS = {
    "historical": ("CMIP", 2009, 2014, Climate()),
    "ssp585": ("ScenarioMIP", 2075, 2080, Climate(warming=4.2, moistening=0.6, rain_factor=1.15)),
}
NETCDF_YEARS = (("20110101-20121230", 2011, 2012, 0), ("20121201-20141230", 2013, 2014, 30))
"""File span, first and last year, and how many days before the first year it begins."""


def cmip6_place() -> Place:
    """Return the model grid as a place, rows from south to north."""
    return projected_place(LATLON_PROJ, WEST, SOUTH, STEP, ROWS, COLUMNS_X)


def write_cmip6(out: Path) -> Iterator[str]:
    """Write catalogue, stores and files under `out/cmip6/mini-1`; yields what is done."""
    root = out / "cmip6" / "mini-1"
    rows: list[tuple[str, ...]] = []
    for experiment, (activity, first, last, _) in EXPERIMENTS.items():
        whole = simulate(OPEN_MODEL, experiment, model_days(OPEN_MODEL, first, last))
        for name in _WORDS:
            rows.append(_zarr_row(root, activity, experiment, whole, name))
    for span, first, last, early in NETCDF_YEARS:
        days = model_days(CLOSED_MODEL, first, last, early)
        whole = simulate(CLOSED_MODEL, "historical", days)
        rows.append(_netcdf_row(root, span, whole))
    with (root / "pangeo-cmip6.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    yield "cmip6@mini-1"


def model_days(model: Model, first: int, last: int, early: int = 0) -> list[cftime.datetime]:
    """Return noon of every day of the years, and of some days before, in the model's calendar."""
    count = {"noleap": 365, "360_day": 360}[model.calendar] * (last - first + 1)
    units = f"days since {first:04d}-01-01 12:00:00"
    return list(cftime.num2date(np.arange(-early, count), units, calendar=model.calendar))


def simulate(model: Model, experiment: str, days: list[cftime.datetime]) -> xr.Dataset:
    """Return daily pr, tas and tasmax of one experiment."""
    climate = EXPERIMENTS[experiment][3]
    background, place = Background(model.seed, climate), cmip6_place()
    soil = _smooth(place.ground)
    hours = np.concatenate([_world_hours(day) + _LOOKS for day in days])
    air = background.at_grid(hours, place.x, place.y, soil)
    pressure = surface_pressure(air.t2m, air.mslp, soil.height)
    cape, cin = instability(air, buoyancy(air, air.t2m, air.t2m - air.depression, pressure))
    wet = np.clip(air.lift - 1.15, 0.0, None) * np.exp(-np.clip(air.depression - 4, 0, None) / 5)
    convective = (1.0 - np.exp(-cape / 900)) * np.exp(cin / 55) / (1 + np.exp(-1.6 * air.lift))
    shape = (len(days), len(_LOOKS), ROWS, COLUMNS_X)
    rain = (2.4 * wet + 0.9 * climate.rain_factor * convective).reshape(shape).mean(axis=1) * 24
    luck = _luck(model, days)
    t2m = air.t2m.reshape(shape) + model.bias
    return _dataset(
        place,
        days,
        {
            "pr": (rain * luck * 1.15 + model.drizzle) / 86400.0,
            "tas": t2m.mean(axis=1),
            "tasmax": t2m.max(axis=1),
        },
    )


def _smooth(ground: Ground) -> Ground:
    """Return the ground as a coarse model sees it: no hills."""
    nothing = np.zeros_like(ground.relief)
    return Ground(ground.height - ground.relief, nothing, nothing, nothing, ground.land)


def _luck(model: Model, days: list[cftime.datetime]) -> Floats:
    """Return the chance part of parametrised showers, a factor with mean one, day by day."""
    fields = []
    for day in days:
        key = model.seed * 10**9 + day.year * 1000 + day.dayofyr
        draw = np.random.Generator(np.random.Philox(key=key))
        fields.append(draw.gamma(1.6, 1 / 1.6, (ROWS, COLUMNS_X)))
    return np.stack(fields)


def _world_hours(day: cftime.datetime) -> float:
    """Return the world's hour at which a model day begins."""
    length = 360.0 if day.calendar == "360_day" else 365.0
    return float(24.0 * 365.2425 * (day.year - 2000 + (day.dayofyr - 1) / length))


def _dataset(place: Place, days: list[cftime.datetime], fields: dict[str, Floats]) -> xr.Dataset:
    data = {
        name: (("time", "lat", "lon"), (np.round(v / _STEPS[name]) * _STEPS[name]).astype("f4"))
        for name, v in fields.items()
    }
    coords = {
        "time": ("time", np.array(days)),
        "lat": ("lat", place.lat[:, 0], {"units": "degrees_north", "axis": "Y"}),
        "lon": ("lon", place.lon[0] + 360.0, {"units": "degrees_east", "axis": "X"}),
    }
    return xr.Dataset(data, coords)


def _variable(whole: xr.Dataset, model: Model, experiment: str, name: str) -> xr.Dataset:
    units, standard_name, cells = _WORDS[name]
    one = whole[[name]]
    one[name].attrs = {"units": units, "standard_name": standard_name, "cell_methods": cells}
    one.attrs = {
        "Conventions": "CF-1.7 CMIP-6.2",
        "mip_era": "CMIP6",
        "source_id": model.source,
        "institution_id": model.institution,
        "experiment_id": experiment,
        "variant_label": MEMBER,
        "table_id": "day",
        "variable_id": name,
        "grid_label": "gn",
        "frequency": "day",
        "license": _LICENCE.format(model.licence),
    }
    one["time"].encoding = {"units": "days since 1850-01-01", "calendar": model.calendar}
    return one


def _zarr_row(
    root: Path, activity: str, experiment: str, whole: xr.Dataset, name: str
) -> tuple[str, ...]:
    model = OPEN_MODEL
    columns = (activity, model.institution, model.source, experiment, MEMBER, "day", name, "gn")
    place = "/".join(("CMIP6", *columns, VERSION))
    one = _variable(whole, model, experiment, name).chunk({"time": len(whole.time)})
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    squeeze = Blosc(cname="zstd", clevel=9, shuffle=Blosc.BITSHUFFLE)
    one.to_zarr(
        str(path),
        mode="w",
        zarr_format=2,
        consolidated=True,
        encoding={name: {"compressors": squeeze}},
    )
    return (*columns, place + "/", "", VERSION[1:])


def _netcdf_row(root: Path, span: str, whole: xr.Dataset) -> tuple[str, ...]:
    model = CLOSED_MODEL
    columns = ("CMIP", model.institution, model.source, "historical", MEMBER, "day", "tasmax", "gn")
    place = "/".join(("CMIP6", *columns, VERSION))
    name = f"tasmax_day_{model.source}_historical_{MEMBER}_gn_{span}.nc"
    path = root / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    one = _variable(whole, model, "historical", "tasmax")
    packing: dict[str, Any] = {"tasmax": {"zlib": True, "complevel": 9, "shuffle": True}}
    one.to_netcdf(path, engine="h5netcdf", encoding=packing)
    return (*columns, f"{place}/{name}", "", VERSION[1:])
