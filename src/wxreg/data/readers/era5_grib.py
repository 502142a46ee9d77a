"""GRIB of the Climate Data Store or MARS: either edition, many times and fields in one file.

A GRIB2 message is chosen by its codes; a GRIB1 message, which has other codes, by the name that
CDS NetCDF gives the same variable (``t2m``) and its level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import eccodes
import numpy as np
import xarray as xr

from wxreg.data.clock import axis, moment_text
from wxreg.data.grids import coordinates
from wxreg.data.lazy import Field, field_stack
from wxreg.data.readers.grib_decoding import decode_message
from wxreg.data.readers.grib_frames import Frame, damaged, scan_frames
from wxreg.data.readers.grib_sections import single_fields
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.specs.grid import Grid
from wxreg.specs.variables import GribSelector, Variable, VariableEntry

_PRODUCT = ("parameterCategory", "parameterNumber")


@dataclass(frozen=True)
class _Header:
    """What one message is, and where it lies."""

    path: Path
    frame: Frame
    part: int
    """Which field of its message, from 0."""
    codes: tuple[int, int, int] | None
    """None for GRIB1."""
    name: str
    level: float
    valid: datetime
    shape: tuple[int, int]


class Era5Grib:
    """Reads the layout ``grib``: one file, or all of a folder."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset of the chosen variables on the declared grid."""
        if request.grid is None:
            raise UsageError(
                "REG-230", "GRIB needs the grid of its catalog entry", where=request.location
            )
        headers = [header for path in _paths(request) for header in _headers(path)]
        chosen = {entry.id: _chosen(request, entry, headers) for entry in request.entries}
        times = sorted({key[0] for found in chosen.values() for key in found})
        if not times:
            raise NotFound(
                "REG-330",
                "none of these variables is in the file at these times",
                where=request.location,
            )
        made = _frame(request, request.grid, times)
        lost: dict[str, list[str]] = {}
        for entry in request.entries:
            read = _Fields(request, entry, tuple(times), chosen[entry.id])
            made[entry.id] = read.variable()
            absent = [moment_text(times[i]) for i in range(len(times)) if read.lacks(i)]
            if absent:
                lost[entry.id] = absent
        return made.assign_attrs(missing_fields=lost)


def _paths(request: ReadRequest) -> list[Path]:
    root = Path(request.location)
    found = [root]
    if root.is_dir():
        found = sorted(p for p in root.iterdir() if p.suffix in (".grib", ".grb", ".grib2"))
    if not found or not found[0].is_file():
        raise NotFound("REG-301", "no GRIB file is here", where=request.location)
    return found


def _headers(path: Path) -> Iterator[_Header]:
    with path.open("rb") as stream:
        for frame in scan_frames(stream, str(path)):
            for part, raw in enumerate(_fields(stream, path, frame)):
                yield _header(raw, path, frame, part)


def _fields(stream: BinaryIO, path: Path, frame: Frame) -> list[bytes]:
    """Each field of a message as a message of its own."""
    stream.seek(frame.offset)
    raw = stream.read(frame.length)
    if raw[7] != 2:
        return [raw]
    return single_fields(raw, frame.offset, frame.number, str(path))


def _header(raw: bytes, path: Path, frame: Frame, part: int) -> _Header:
    try:
        handle = eccodes.codes_new_from_message(raw)
        try:
            return _described(handle, path, frame, part)
        finally:
            eccodes.codes_release(handle)
    except (eccodes.CodesInternalError, ValueError) as error:
        what = f"ecCodes cannot read the message: {error}"
        raise damaged(str(path), frame.offset, what) from error


def _described(handle: Any, path: Path, frame: Frame, part: int) -> _Header:
    get = eccodes.codes_get
    second = get(handle, "edition") == 2
    stamp = f"{get(handle, 'validityDate'):08d}{get(handle, 'validityTime'):04d}"
    category, number = (get(handle, k) for k in _PRODUCT) if second else (0, 0)
    codes = (int(get(handle, "discipline")), int(category), int(number)) if second else None
    return _Header(
        path=path,
        frame=frame,
        part=part,
        codes=codes,
        name=str(get(handle, "cfVarName")),
        level=float(get(handle, "level")),
        valid=datetime.strptime(stamp, "%Y%m%d%H%M"),
        shape=(int(get(handle, "Nj")), int(get(handle, "Ni"))),
    )


_Key = tuple[datetime, float | None]


def _chosen(
    request: ReadRequest, entry: VariableEntry, headers: list[_Header]
) -> dict[_Key, _Header]:
    """The message of each time and level; two for one of them are an error."""
    levelled = request.variable(entry).levels != "none"
    found: dict[_Key, _Header] = {}
    for header in headers:
        if not _matches(entry, header) or not _in_period(request, header):
            continue
        key = (header.valid, header.level if levelled else None)
        if key in found:
            raise IntegrityError(
                "REG-531",
                f"two messages hold {entry.id} at {moment_text(header.valid)}",
                where=f"{header.path} at bytes {found[key].frame.offset} and {header.frame.offset}",
                hint="make its selector in the catalog narrower, or remove one of them",
            )
        found[key] = header
    return found


def _matches(entry: VariableEntry, header: _Header) -> bool:
    if header.codes is not None and entry.grib is not None:
        return header.codes == _codes(entry.grib)
    return entry.netcdf is not None and header.name == entry.netcdf.name


def _codes(selector: GribSelector) -> tuple[int, int, int]:
    return selector.discipline, selector.category, selector.number


def _in_period(request: ReadRequest, header: _Header) -> bool:
    if request.times is None:
        return True
    return request.times[0] <= moment_text(header.valid) < request.times[1]


def _frame(request: ReadRequest, grid: Grid, times: list[datetime]) -> xr.Dataset:
    place = coordinates(grid)
    coords: dict[str, Any] = {
        "time": ("time", axis(times)),
        "y": ("y", place.y),
        "x": ("x", place.x),
        "lat": (("y", "x"), place.lat),
        "lon": (("y", "x"), place.lon),
    }
    if request.levels:
        coords["level"] = ("level", np.array(request.levels, np.float64))
    attrs: dict[str, Any] = {"rows": grid.rows, "winds": grid.winds, "missing_times": []}
    return xr.Dataset(coords=coords, attrs=attrs)


@dataclass(frozen=True)
class _Fields:
    """Reads the fields of one variable by the position of their time."""

    request: ReadRequest
    entry: VariableEntry
    times: tuple[datetime, ...]
    chosen: dict[_Key, _Header]

    @property
    def described(self) -> Variable:
        """The canonical variable."""
        return self.request.variable(self.entry)

    @property
    def levels(self) -> tuple[float | None, ...]:
        """The levels of a field, or a single none."""
        return (None,) if self.described.levels == "none" else self.request.levels

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one field."""
        assert self.request.grid is not None
        cells = self.request.grid.shape
        return cells if self.levels == (None,) else (len(self.levels), *cells)

    def lacks(self, index: int) -> bool:
        """Whether any level of the field of that time is not there."""
        return any((self.times[index], level) not in self.chosen for level in self.levels)

    def variable(self) -> xr.Variable:
        """The lazy canonical variable."""
        attrs = {"units": self.described.units, "long_name": self.described.long_name}
        dims = ("time", *(("level",) if len(self.shape) == 3 else ()), "y", "x")
        return xr.Variable(dims, field_stack(self.field, len(self.times), self.shape), attrs)

    def field(self, index: int) -> Field:
        """The canonical values of one time; NaN where the file has none."""
        if self.lacks(index):
            return np.full(self.shape, np.nan, np.float32)
        planes = [self._plane(self.chosen[self.times[index], level]) for level in self.levels]
        values = planes[0] if self.levels == (None,) else np.stack(planes)
        return to_canonical(values, self.entry, self.described)

    def _plane(self, header: _Header) -> Field:
        with header.path.open("rb") as stream:
            raw = _fields(stream, header.path, header.frame)[header.part]
        where, offset = str(header.path), header.frame.offset
        decoded = decode_message(raw, where, offset, self.request.cell_limit)
        grid = self.request.grid
        assert grid is not None
        if (decoded.values.shape, decoded.rows) != (grid.shape, grid.rows):
            raise Incompatible(
                "REG-430",
                f"the message has {decoded.values.shape} cells, rows {decoded.rows}; the catalog "
                f"says {grid.shape}, {grid.rows}",
                where=f"{where} at byte {offset}",
            )
        return decoded.values
