"""A tiny HRRR: real layout and names, a 12 by 10 cell Lambert grid, GRIB2 written by ecCodes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import numpy as np

from wxreg.data.grids import coordinates
from wxreg.data.reading import ReadRequest
from wxreg.leadtime import Duration
from wxreg.specs.grid import Grid
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import GribSelector, Sentinel, Variable, VariableEntry

ROWS, COLUMNS = 10, 12
LAMBERT = "+proj=lcc +lat_0=38.5 +lon_0=-97.5 +lat_1=38.5 +lat_2=38.5 +R=6371229 +units=m"
GRID = Grid(
    crs=LAMBERT,
    shape=(ROWS, COLUMNS),
    spacing=(3000.0, 3000.0),
    origin=(300000.0, 600000.0),
    winds="grid-relative",
)
HOUR = Duration(3600)
LEXICON = {
    v.id: v
    for v in (
        Variable(id="t2m", long_name="temperature", units="degC", range=(-80, 60)),
        Variable(id="u10", long_name="u", units="m s-1", vector="x", partner="v10"),
        Variable(id="v10", long_name="v", units="m s-1", vector="y", partner="u10"),
        Variable(id="refc", long_name="reflectivity", units="dBZ"),
        Variable(id="precip", long_name="rain", units="mm", kind="accumulation", window=HOUR),
        Variable(id="orog", long_name="height", units="m", kind="static"),
        Variable(id="t", long_name="temperature", units="K", levels="pressure"),
    )
}
ENTRIES = (
    VariableEntry(
        id="t2m",
        units="K",
        grib=GribSelector(
            discipline=0, category=0, number=0, level_type=103, level=2, idx="TMP:2 m above ground"
        ),
    ),
    VariableEntry(
        id="u10",
        units="m s-1",
        grib=GribSelector(discipline=0, category=2, number=2, level_type=103, level=10),
    ),
    VariableEntry(
        id="v10",
        units="m s-1",
        grib=GribSelector(discipline=0, category=2, number=3, level_type=103, level=10),
    ),
    VariableEntry(
        id="precip",
        units="kg m-2",
        analysis=False,
        grib=GribSelector(
            discipline=0, category=1, number=8, level_type=1, step="accumulated", window=HOUR
        ),
    ),
    VariableEntry(
        id="refc",
        units="dBZ",
        grib=GribSelector(discipline=0, category=16, number=5, level_type=10),
        sentinels=(Sentinel(value=-999.0, means="missing"),),
    ),
)


@dataclass(frozen=True)
class Message:
    """What one message of a tiny file says and holds."""

    parameter: tuple[int, int, int]
    surface: tuple[int, float | None]
    values: np.ndarray
    hours: int = 0
    window: int | None = None
    bits: int = 16
    packing: str = "grid_simple"


def message_bytes(run: datetime, message: Message, grid: Grid = GRID) -> bytes:
    """One GRIB2 message."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    place = coordinates(grid)
    keys = {
        "centre": 7,
        "discipline": message.parameter[0],
        "dataDate": int(f"{run:%Y%m%d}"),
        "dataTime": run.hour * 100,
        "productDefinitionTemplateNumber": 0 if message.window is None else 8,
        "parameterCategory": message.parameter[1],
        "parameterNumber": message.parameter[2],
        "gridType": "lambert",
        "shapeOfTheEarth": 6,
        "Nx": grid.shape[1],
        "Ny": grid.shape[0],
        "latitudeOfFirstGridPointInDegrees": float(place.lat[0, 0]),
        "longitudeOfFirstGridPointInDegrees": float(place.lon[0, 0] % 360),
        "LaDInDegrees": 38.5,
        "LoVInDegrees": 262.5,
        "Latin1InDegrees": 38.5,
        "Latin2InDegrees": 38.5,
        "DxInMetres": 3000.0,
        "DyInMetres": 3000.0,
        "uvRelativeToGrid": 1,
        "scanningMode": 64,
        "indicatorOfUnitOfTimeRange": 1,
        "typeOfFirstFixedSurface": message.surface[0],
        "bitsPerValue": message.bits,
    }
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    if message.surface[1] is not None:
        eccodes.codes_set(handle, "scaleFactorOfFirstFixedSurface", 0)
        eccodes.codes_set(handle, "scaledValueOfFirstFixedSurface", int(message.surface[1]))
    start = message.hours - (message.window or 0)
    eccodes.codes_set(handle, "forecastTime", start)
    if message.window is not None:
        _set_window(handle, run + timedelta(hours=message.hours), message.window)
    eccodes.codes_set_values(handle, np.asarray(message.values, np.float64).ravel())
    if message.packing != "grid_simple":
        eccodes.codes_set(handle, "packingType", message.packing)
    raw = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return raw


def _set_window(handle: int, end: datetime, window: int) -> None:
    keys = {
        "yearOfEndOfOverallTimeInterval": end.year,
        "monthOfEndOfOverallTimeInterval": end.month,
        "dayOfEndOfOverallTimeInterval": end.day,
        "hourOfEndOfOverallTimeInterval": end.hour,
        "typeOfStatisticalProcessing": 1,
        "indicatorOfUnitForTimeRange": 1,
        "lengthOfTimeRange": window,
    }
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)


def field(seed: float, low: float = 0.0) -> np.ndarray:
    """A smooth field that differs with ``seed``."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return low + np.sin(seed + y / 3) + x / 4


def path_of(root: Path, run: datetime, hour: int, product: str = "sfc") -> Path:
    """Where the archive keeps a file."""
    folder = root / f"hrrr.{run:%Y%m%d}" / "conus"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"hrrr.t{run:%H}z.wrf{product}f{hour:02d}.grib2"


def analysis(k: int) -> list[Message]:
    """The messages of f00 of the k-th hour."""
    refc = field(k, -5.0)
    refc[0, 0] = -999.0
    return [
        Message((0, 0, 0), (103, 2), field(k, 280.0)),
        Message((0, 2, 2), (103, 10), field(k, 5.0)),
        Message((0, 2, 3), (103, 10), field(k, -3.0)),
        Message((0, 16, 5), (10, 0), refc, bits=20),
    ]


def rain(k: int) -> Message:
    """The hourly sum of f01 of the k-th hour."""
    return Message((0, 1, 8), (1, 0), np.abs(field(k)), hours=1, window=1)


START = datetime(2023, 6, 1)


def write_archive(root: Path, hours: int = 6, absent: tuple[int, ...] = ()) -> Path:
    """f00 and f01 of consecutive hours, and f01 of the hour before them."""
    for k in range(-1, hours):
        run = START + timedelta(hours=k)
        if k not in absent:
            raw = b"".join(message_bytes(run, m) for m in analysis(k))
            path_of(root, run, 0).write_bytes(raw)
        if k + 1 not in absent:
            path_of(root, run, 1).write_bytes(message_bytes(run, rain(k)))
    return root


def request(root: Path | str, hours: int = 6, **changes: object) -> ReadRequest:
    """A request for everything in the tiny archive."""
    end = START + timedelta(hours=hours)
    given = {
        "layout": "hrrr-grib",
        "location": str(root),
        "entries": ENTRIES,
        "lexicon": LEXICON,
        "time": TimeAxis(cadence=HOUR),
        "grid": GRID,
        "times": (f"{START:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}"),
    }
    return ReadRequest(**{**given, **changes})  # type: ignore[arg-type]
