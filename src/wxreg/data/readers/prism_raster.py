"""PRISM daily rasters: one zip a variable and day, BIL or GeoTIFF.

A PRISM day runs from 12 UTC to 12 UTC and is stamped at its end: the file of 2023-06-02 holds
what fell from 2023-06-01T12 to 2023-06-02T12, and that is its time here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.clock import moment_text
from wxreg.data.lazy import field_stack
from wxreg.data.readers.raster_files import Raster, read_zip
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.specs.variables import Variable, VariableEntry

_NAME: Final = re.compile(r"(?i)prism_(?P<variable>[a-z]+)_.*?_?(?P<day>\d{8})(?:_bil|_tif)?\.zip")
_DAY_END: Final = np.timedelta64(12, "h")


@dataclass(frozen=True)
class _Days:
    """The files of one variable; pickles."""

    entry: VariableEntry
    variable: Variable
    files: tuple[Path | None, ...]
    """The file of each time; None for a missing day."""
    shape: tuple[int, int]
    cell_limit: int

    def __call__(self, position: int) -> NDArray[np.float32]:
        """The canonical field of one day."""
        path = self.files[position]
        if path is None:
            return np.full(self.shape, np.nan, np.float32)
        raster = _raster(path, self.cell_limit)
        if raster.values.shape != self.shape:
            raise IntegrityError(
                "REG-536", f"{raster.values.shape} cells; expected {self.shape}", where=str(path)
            )
        return to_canonical(raster.values, self.entry, self.variable)


class PrismRaster:
    """Reads the layout ``prism-raster``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The days that any wanted variable has, in order."""
        found = {entry.id: _files(request, entry) for entry in request.entries}
        days = sorted(set().union(*found.values()))
        if not days:
            raise NotFound("REG-335", "no PRISM file of these days is here", where=request.location)
        first = next(path for files in found.values() for path in files.values())
        raster = _raster(first, request.cell_limit)
        made = _place(raster, days)
        for entry in request.entries:
            files = tuple(found[entry.id].get(day) for day in days)
            read = _Days(
                entry, request.variable(entry), files, raster.values.shape, request.cell_limit
            )
            made[entry.id] = (
                ("time", "y", "x"),
                field_stack(read, len(days), raster.values.shape),
            )
        lacking = {
            name: [moment_text(day) for day in days if day not in files]
            for name, files in found.items()
        }
        return made.assign_attrs(missing_fields={k: v for k, v in lacking.items() if v})


def _files(request: ReadRequest, entry: VariableEntry) -> dict[np.datetime64, Path]:
    if entry.raster is None:
        raise Incompatible("REG-437", f"{entry.id} has no raster selector", where=request.location)
    found: dict[np.datetime64, Path] = {}
    for path in sorted(Path(request.location).rglob("*.zip")):
        match = _NAME.fullmatch(path.name)
        if not match or match["variable"].lower() != entry.raster.name:
            continue
        day = match["day"]
        end = np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}", "ns") + _DAY_END
        if request.times and not request.times[0] <= moment_text(end) < request.times[1]:
            continue
        if end in found:
            raise IntegrityError(
                "REG-535",
                f"{found[end].name} and {path.name} are of the same day",
                where=request.location,
                hint="keep the more stable of them (stable over provisional over early)",
            )
        found[end] = path
    return found


@lru_cache(maxsize=4)
def _raster(path: Path, cell_limit: int) -> Raster:
    return read_zip(path, cell_limit)


def _place(raster: Raster, days: list[np.datetime64]) -> xr.Dataset:
    rows, columns = raster.values.shape
    y = raster.north - raster.spacing * np.arange(rows)
    x = raster.west + raster.spacing * np.arange(columns)
    shape = (rows, columns)
    return xr.Dataset(
        coords={
            "time": np.array(days, "datetime64[ns]"),
            "y": y,
            "x": x,
            "lat": (("y", "x"), np.broadcast_to(y[:, None], shape)),
            "lon": (("y", "x"), np.broadcast_to(x[None], shape)),
        },
        attrs={"rows": "north-to-south", "winds": "earth-relative", "missing_times": []},
    )
