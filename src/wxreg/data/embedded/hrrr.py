"""`hrrr@mini-1` and `hrrr@mini-2`: GRIB2 files with indexes on a crop of the true HRRR grid."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from wxreg.data.embedded.background import (
    GRAVITY,
    Air,
    buoyancy,
    free_air,
    instability,
    specific_humidity,
    surface_pressure,
)
from wxreg.data.embedded.clock import Floats, hours_of
from wxreg.data.embedded.grib import LambertGrid, write_file
from wxreg.data.embedded.hrrr_fields import ANALYSIS, FORECAST, LEVELS, PRESSURE
from wxreg.data.embedded.motion import steering
from wxreg.data.embedded.places import HRRR_PROJ, Place, projected_place
from wxreg.data.embedded.storms import Cells
from wxreg.data.embedded.weather import StormFields, World, reflectivity

FIRST_COLUMN, FIRST_ROW, SIDE = 700, 552, 48
"""The crop's place in the full grid, counted from its south-west corner."""
X0 = -2_697_520.1425 + 3000.0 * FIRST_COLUMN
Y0 = -1_587_306.1526 + 3000.0 * FIRST_ROW
START = np.datetime64("2023-06-01T00", "h")
END = {
    "mini-1": np.datetime64("2023-06-14T00", "h"),
    "mini-2": np.datetime64("2023-06-15T00", "h"),
}
MISSING = (np.datetime64("2023-06-03T07", "h"), np.datetime64("2023-06-03T08", "h"))
"""Hours of which the archive has no file at all."""
BAD_DEWPOINT = np.datetime64("2023-06-05T14", "h")
"""In mini-1 some 2 m dewpoints of this hour read -81 degrees C; mini-2 has them mended."""
TABLES = {"sfcf00": ANALYSIS, "sfcf01": FORECAST, "prsf00": PRESSURE}
KINDS = tuple(TABLES)
_SUBSTEPS = (np.arange(6) + 0.5) / 6
_STEER = {85000: (0.75, 0.5), 70000: (0.97, 1.0), 50000: (1.5, 5.0)}
_SURFACE_SHARE = {85000: 0.7, 70000: 0.45, 50000: 0.25}
_SOUTHERLY = {85000: 3.4, 70000: 1.6, 50000: 0.0}
"""The low-level jet of the night, which makes the hodograph curve."""
_UPDRAFT = {85000: 2.0, 70000: 6.0, 50000: 6.5}
"""Pascals a second by which air rises in an updraft of one metre a second."""


def hrrr_place() -> Place:
    """Return the crop as a place of the world."""
    return projected_place(HRRR_PROJ, X0, Y0, 3000.0, SIDE, SIDE)


def reference_hours(end: np.datetime64) -> list[np.datetime64]:
    """Return the run times before `end` without the missing ones."""
    hours = np.arange(START, end, np.timedelta64(1, "h"))
    return [hour for hour in hours if hour not in MISSING]


@dataclass(frozen=True)
class HrrrWriter:
    """Writes run times of HRRR."""

    world: World
    place: Place

    def write(self, out: Path, end: np.datetime64) -> None:
        """Write every hour before `end`, and the one f01 file before the first hour."""
        self.write_hour(out, START - np.timedelta64(1, "h"), kinds=("sfcf01",))
        for reference in reference_hours(end):
            self.write_hour(out, reference)

    def write_hour(
        self, out: Path, reference: np.datetime64, kinds: tuple[str, ...] = KINDS
    ) -> None:
        """Write the files of one run time."""
        for kind in kinds:
            write_kind(out, self.place, reference, kind, self.fields(reference, kind))

    def fields(self, reference: np.datetime64, kind: str) -> dict[str, Floats]:
        """Return the unpacked fields of one file by the keys of `hrrr_fields`."""
        hour = float(hours_of(np.asarray(reference)))
        cells = self.world.cells(np.array([hour]))
        if kind == "sfcf01":
            return self._extremes(cells, hour) | self._archived_forecast(cells, hour)
        air = self._air(hour)
        storm = self.world.storm_fields(self.place, cells, hour)
        if kind == "prsf00":
            return self._pressure_fields(air, storm, hour)
        return self._analysis(air, storm, hour)

    def _air(self, hour: float) -> Air:
        air = self.world.air(self.place, np.array([hour]))
        return Air(**{name: getattr(air, name)[0] for name in Air.__dataclass_fields__})

    def _analysis(self, air: Air, storm: StormFields, hour: float) -> dict[str, Floats]:
        soil = self.place.ground
        state = self._surface(air, storm, hour)
        excess = buoyancy(air, state["t2m"], state["d2m"], state["sp"])
        cape, cin = instability(air, excess)
        mixed_cape, mixed_cin = instability(air, 0.8 * excess - 1.0)
        winds = self._winds(air, storm, hour)
        vx, vy = steering(np.asarray(hour), self.world.background.waves.shift)
        motion = (
            vx + 0.2 * (air.u10 - 0.38 * vx),
            vy + 0.2 * (air.v10 - 0.38 * vy),
        )
        gentle = self.world.layered_rain(air, self.place, hour)
        moisture = specific_humidity(state["d2m"], state["sp"])
        upper = winds[50000]
        return state | {
            "refd_1km": reflectivity(storm.low + gentle),
            "refd_4km": reflectivity(storm.high + 0.3 * gentle),
            "ltng": np.zeros(self.place.shape),
            "orog": soil.height,
            "land": np.round(soil.land),
            "cape_sb": cape,
            "cin_sb": cin,
            "cape_ml": mixed_cape,
            "cin_ml": mixed_cin,
            "pwat": 2350.0 * moisture * state["sp"] / 85000.0,
            "srh_0_3km": _helicity([winds[0], winds[85000], winds[70000]], motion),
            "srh_0_1km": _helicity([winds[0], _middle(winds[0], winds[85000])], motion),
            "ustm": motion[0],
            "vstm": motion[1],
            "vucsh": upper[0] - winds[0][0],
            "vvcsh": upper[1] - winds[0][1],
        }

    def _surface(self, air: Air, storm: StormFields, hour: float) -> dict[str, Floats]:
        """Return the fields that storms change at the ground."""
        t2m = air.t2m - storm.chill
        rain = storm.rain + self.world.layered_rain(air, self.place, hour)
        mslp = air.mslp + 25.0 * storm.chill
        return {
            "t2m": t2m,
            "d2m": t2m - air.depression * np.exp(-0.15 * storm.chill),
            "u10": air.u10 + storm.out_u,
            "v10": air.v10 + storm.out_v,
            "mslma": mslp,
            "sp": surface_pressure(air.t2m, mslp, self.place.ground.height),
            "refc": reflectivity(rain),
        }

    def _winds(self, air: Air, storm: StormFields, hour: float) -> dict[int, tuple[Floats, Floats]]:
        """Return world winds at the surface (key 0) and on the levels (Pa)."""
        vx, vy = steering(np.asarray(hour), self.world.background.waves.shift)
        winds = {0: (air.u10 + storm.out_u, air.v10 + storm.out_v)}
        for level in LEVELS:
            factor, jet = _STEER[level]
            share = _SURFACE_SHARE[level]
            winds[level] = (
                factor * vx + jet + share * (air.u10 - 0.38 * vx) + 0.4 * air.aloft,
                factor * vy + share * (air.v10 - 0.38 * vy) + _SOUTHERLY[level] * (1.4 - air.heat),
            )
        return winds

    def _pressure_fields(self, air: Air, storm: StormFields, hour: float) -> dict[str, Floats]:
        winds = self._winds(air, storm, hour)
        fields: dict[str, Floats] = {}
        for level in LEVELS:
            height, temperature = free_air(air, float(level))
            name = level // 100
            dryness = air.depression * (1.0 + 0.4 * (85000 - level) / 35000) + 1.0
            fields[f"z_{name}"] = height
            fields[f"t_{name}"] = temperature
            fields[f"q_{name}"] = specific_humidity(temperature - dryness, np.asarray(float(level)))
            fields[f"w_{name}"] = -_UPDRAFT[level] * storm.rising - 0.02 * GRAVITY * air.lift
            fields[f"u_{name}"], fields[f"v_{name}"] = winds[level]
        return fields

    def _extremes(self, cells: Cells, hour: float) -> dict[str, Floats]:
        """Return the hourly sum and maxima of the hour that follows."""
        steps = [self.world.storm_fields(self.place, cells, hour + share) for share in _SUBSTEPS]
        gentle = self.world.layered_rain(self._air(hour + 0.5), self.place, hour + 0.5)
        return {
            "precip_1h": np.mean([s.rain for s in steps], axis=0) + gentle,
            "mxuphl_2_5km": np.max([s.spin for s in steps], axis=0),
            "maxuvv": np.clip(np.max([s.rising for s in steps], axis=0), 0.0, None),
        }

    def _archived_forecast(self, cells: Cells, hour: float) -> dict[str, Floats]:
        """Return a forecast for the next hour: displaced, mistimed, biased, some storms unseen."""
        draw = np.random.Generator(np.random.Philox(key=int(hour) + 77))
        late, east, north, hot = draw.standard_normal(4)
        known = (cells.born < hour) | (np.modf(cells.x * 7.0)[0] % 1.0 < 0.35)
        seen = cells.keep(known)
        seen = Cells(
            **{
                **seen.__dict__,
                "x": seen.x + 5.0 * east,
                "y": seen.y + 5.0 * north,
                "peak": 1.15 * seen.peak,
            }
        )
        valid = hour + 1.0 + 0.12 * late
        storm = self.world.storm_fields(self.place, seen, valid)
        state = self._surface(self._air(valid), storm, valid)
        return {
            "refc": state["refc"],
            "t2m": state["t2m"] + 0.5 + 0.25 * hot,
            "u10": 1.08 * state["u10"] + 0.2,
            "v10": 1.08 * state["v10"] - 0.15,
        }


def write_kind(
    out: Path, place: Place, reference: np.datetime64, kind: str, fields: dict[str, Floats]
) -> None:
    """Write one file and its index where the archive has it."""
    write_file(
        out / file_name(reference, kind),
        LambertGrid(SIDE, SIDE, float(place.lat[0, 0]), float(place.lon[0, 0]) % 360),
        reference,
        int(kind[-2:]),
        ((field, fields[key]) for key, field in TABLES[kind].items()),
    )


def file_name(reference: np.datetime64, kind: str) -> str:
    """Return a file's place in the archive."""
    day, hour = np.datetime_as_string(reference, unit="h").replace("-", "").split("T")
    return f"hrrr.{day}/conus/hrrr.t{hour}z.wrf{kind}.grib2"


def write_hrrr(out: Path) -> Iterator[str]:
    """Write both versions under `out/hrrr`; yields what is done.

    mini-1 is the start of mini-2, byte for byte but for the one hour that mini-2 mends.
    """
    writer = HrrrWriter(World(), hrrr_place())
    writer.write(out / "hrrr" / "mini-2", END["mini-2"])
    yield "hrrr@mini-2"
    _copy_start(out / "hrrr" / "mini-2", out / "hrrr" / "mini-1")
    fields = writer.fields(BAD_DEWPOINT, "sfcf00")
    fields["d2m"] = impossible(fields["d2m"])
    write_kind(out / "hrrr" / "mini-1", writer.place, BAD_DEWPOINT, "sfcf00", fields)
    yield "hrrr@mini-1"


def _copy_start(whole: Path, start: Path) -> None:
    last = f"hrrr.{np.datetime_as_string(END['mini-1'], unit='D').replace('-', '')}"
    for day in sorted(whole.iterdir()):
        if day.name < last:
            shutil.copytree(day, start / day.name, dirs_exist_ok=True)


def impossible(dewpoint: Floats) -> Floats:
    """Return the dewpoint with some cells at -81 degrees C, as real f00 files have had them."""
    spoiled = dewpoint.copy()
    spoiled[5::11, 3::9] = 192.125
    return spoiled


def _middle(low: tuple[Floats, Floats], high: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return 0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1])


def _helicity(hodograph: list[tuple[Floats, Floats]], motion: tuple[Floats, Floats]) -> Floats:
    """Return storm-relative helicity (signed) of a hodograph given from the ground up."""
    relative = [(u - motion[0], v - motion[1]) for u, v in hodograph]
    total = np.zeros(hodograph[0][0].shape)
    for (u0, v0), (u1, v1) in pairwise(relative):
        total += u1 * v0 - u0 * v1
    return total
