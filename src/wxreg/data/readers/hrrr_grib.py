"""HRRR in the layout of its public archive: one GRIB2 file per run, forecast hour and product.

The state at time t is what ``f00`` of t holds, together with the hourly extremes and
accumulations of ``f01`` of the run before, since f00 has none; each variable says which.
Steps between the hours (product ``subh``) come from ``f01`` of the hour that they lie in.
Where the archived forecast is asked for, the fields at time t are those of the run of t at
that lead.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, Final

import numpy as np
import xarray as xr

from wxreg.data.clock import axis, moment_text, regular_times
from wxreg.data.grids import coordinates
from wxreg.data.lazy import Field, field_stack, static_field
from wxreg.data.readers.grib_decoding import DecodedField, decode_message
from wxreg.data.readers.grib_source import Archive, ByteRange, FileIndex, open_index
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.specs.grid import Grid
from wxreg.specs.variables import GribSelector, Variable, VariableEntry

_READERS_AT_ONCE: Final = 8
_CORNER_DEGREES: Final = 0.02
"""How far the first point may lie from the declared one; HRRR v3 moved its origin by 53 m."""
_LEVEL_FACTOR: Final = {100: 100.0}
"""From the lexicon's levels to those of a surface type: hPa to Pa."""

Message = tuple[ByteRange, ...]
"""One message, or several that must turn out equal (f01 has its one-hour sum twice)."""
FieldPlace = tuple[Message, ...]
"""The messages of one field of one time, one per level."""


@dataclass(frozen=True)
class _Part:
    """One entry with what reading it needs."""

    entry: VariableEntry
    variable: Variable
    selector: GribSelector
    product: str
    window: float
    levels: tuple[float, ...]
    lead: timedelta | None = None
    """The lead of the archived forecast that is read; none for the state."""

    def serves(self, moment: str) -> bool:
        """Whether the archive holds the variable under this selector at that time."""
        since, until = self.entry.since, self.entry.until
        return (since is None or moment >= since) and (until is None or moment < until)

    def file(self, time: datetime) -> str:
        """The file that holds the variable's state at ``time``."""
        if self.lead is not None:
            return file_name(time, round(self.lead / timedelta(hours=1)), self.product)
        on_the_hour = time.minute == 0
        if self.entry.analysis and on_the_hour:
            return file_name(time, 0, self.product)
        run = (time - timedelta(minutes=1)).replace(minute=0)
        return file_name(run, 1, self.product)

    def valid(self, time: datetime) -> datetime:
        """The time that the fields kept at ``time`` are of."""
        return time if self.lead is None else time + self.lead


def file_name(run: datetime, hour: int, product: str) -> str:
    """The archive's name of one file, below its root."""
    return f"hrrr.{run:%Y%m%d}/conus/hrrr.t{run:%H}z.wrf{product}f{hour:02d}.grib2"


class HrrrGrib:
    """Reads the layout ``hrrr-grib``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset; every file is indexed now, so that gaps are known at once."""
        grid = _grid(request)
        archive = Archive(request.location, dict(request.storage_options))
        times = _times(request)
        parts = [_part(request, entry) for entry in request.entries]
        indexes = _index_files(archive, parts, times)
        if not any(indexes.values()):
            raise NotFound("REG-330", "no file of these times is there", where=request.location)
        found = {
            variable: _places([p for p in parts if p.entry.id == variable], times, indexes, archive)
            for variable in dict.fromkeys(part.entry.id for part in parts)
        }
        read = _FieldReader(archive, grid, request.cell_limit)
        return _dataset(request, grid, times, parts, found, read)


def _grid(request: ReadRequest) -> Grid:
    if request.grid is None:
        raise UsageError(
            "REG-230", "HRRR needs the grid of its catalog entry", where=request.location
        )
    return request.grid


def _times(request: ReadRequest) -> list[datetime]:
    start, end = request.times or (request.time.start, request.time.end)
    if start is None or end is None:
        raise UsageError(
            "REG-230", "the archive is open-ended: give a start and an end", where=request.location
        )
    return regular_times(start, end, request.time.cadence)


def _part(request: ReadRequest, entry: VariableEntry) -> _Part:
    selector = entry.grib
    if selector is None:
        raise Incompatible("REG-430", f"{entry.id} has no GRIB selector", where=request.location)
    product = request.product or selector.product
    if product not in (selector.product, *selector.also):
        raise Incompatible(
            "REG-430", f"{entry.id} is not in the product {product}", where=request.location
        )
    if selector.levels and not request.levels:
        raise UsageError("REG-230", f"{entry.id} is on levels: say which", where=request.location)
    span = selector.window or request.time.cadence
    return _Part(
        entry=entry,
        variable=request.variable(entry),
        selector=selector,
        product=product,
        window=0.0 if selector.step == "instant" else span.seconds / 60,
        levels=request.levels if selector.levels else (),
        lead=timedelta(seconds=request.forecast.seconds) if request.forecast else None,
    )


def _index_files(
    archive: Archive, parts: list[_Part], times: list[datetime]
) -> dict[str, FileIndex | None]:
    """The index of each file that any variable needs, by name; None where there is no file."""
    names = sorted(
        {part.file(time) for part in parts for time in times if part.serves(moment_text(time))}
    )
    by_name = all(part.selector.idx for part in parts)
    with ThreadPoolExecutor(_READERS_AT_ONCE) as pool:
        return dict(
            zip(names, pool.map(partial(_open_index, archive, by_name), names), strict=True)
        )


def _open_index(archive: Archive, by_name: bool, name: str) -> FileIndex | None:
    return open_index(archive, name, by_name)


def _places(
    parts: list[_Part],
    times: list[datetime],
    indexes: dict[str, FileIndex | None],
    archive: Archive,
) -> list[FieldPlace | None]:
    """Where the variable of ``parts`` lies at each time; None where the archive lacks it."""
    places: list[FieldPlace | None] = []
    for time in times:
        serving = [part for part in parts if part.serves(moment_text(time))]
        if len(serving) > 1:
            raise IntegrityError(
                "REG-531", f"{serving[0].entry.id} has two selectors at {moment_text(time)}"
            )
        index = indexes[serving[0].file(time)] if serving else None
        places.append(_place(serving[0], index, time, archive) if index else None)
    return places


def _place(part: _Part, index: FileIndex, time: datetime, archive: Archive) -> FieldPlace | None:
    valid = part.valid(time)
    found = [index.find(select, part.window, valid) for select in _selectors(part)]
    if not any(found):
        return None
    if not all(found):
        lacking = [level for level, hits in zip(part.levels, found, strict=True) if not hits]
        raise Incompatible(
            "REG-430",
            f"{part.entry.id} is there, but not on the levels {lacking}",
            where=f"{archive.location}/{index.path}",
        )
    return tuple(tuple(hits) for hits in found)


def _selectors(part: _Part) -> Iterable[GribSelector]:
    """The selector of each level, or the one there is."""
    select = part.selector
    if not part.levels:
        return (select,)
    factor = _LEVEL_FACTOR.get(select.level_type, 1.0)
    return tuple(
        select.model_copy(
            update={
                "levels": False,
                "level": level * factor,
                "idx": select.idx and select.idx.replace("{level}", f"{level:g}"),
            }
        )
        for level in part.levels
    )


@dataclass(frozen=True)
class _FieldReader:
    """Reads the field at a place, checked against the declared grid."""

    archive: Archive
    grid: Grid
    cell_limit: int

    def read(self, part: _Part, place: FieldPlace) -> Field:
        """The canonical values of one time of one variable."""
        planes = [self._plane(part, message) for message in place]
        values = np.stack(planes) if part.levels else planes[0]
        return to_canonical(values, part.entry, part.variable)

    def _plane(self, part: _Part, message: Message) -> Field:
        decoded = [self._decode(hit) for hit in message]
        first = decoded[0].values
        if not all(np.array_equal(first, d.values, equal_nan=True) for d in decoded[1:]):
            raise IntegrityError(
                "REG-531",
                f"{len(message)} messages match {part.entry.id} and hold different values",
                where=f"{message[0].path}, messages {[hit.number for hit in message]}",
                hint="make its selector in the catalog narrower",
            )
        return first

    def _decode(self, hit: ByteRange) -> DecodedField:
        decoded = decode_message(self.archive.read(hit), hit.path, hit.start, self.cell_limit)
        place, grid = coordinates(self.grid), self.grid
        lat, lon = decoded.first_point
        away = max(abs(lat - place.lat[0, 0]), abs((lon - place.lon[0, 0] + 180) % 360 - 180))
        if (decoded.values.shape, decoded.rows) != (grid.shape, grid.rows) or (
            away > _CORNER_DEGREES
        ):
            raise Incompatible(
                "REG-430",
                f"the message has {decoded.values.shape} cells, rows {decoded.rows}, from "
                f"({lat:.4f}, {lon:.4f}); the catalog says {grid.shape}, {grid.rows}, from "
                f"({place.lat[0, 0]:.4f}, {place.lon[0, 0]:.4f})",
                where=f"{hit.path} at byte {hit.start}",
            )
        return decoded


def _dataset(
    request: ReadRequest,
    grid: Grid,
    times: list[datetime],
    parts: list[_Part],
    found: dict[str, list[FieldPlace | None]],
    read: _FieldReader,
) -> xr.Dataset:
    place = coordinates(grid)
    missing, fields = _missing(request, times, found)
    dataset = xr.Dataset(
        coords={
            "time": ("time", axis(times)),
            "y": ("y", place.y),
            "x": ("x", place.x),
            "lat": (("y", "x"), place.lat),
            "lon": (("y", "x"), place.lon),
        },
        attrs={
            "rows": grid.rows,
            "winds": grid.winds,
            "missing_times": missing,
            "missing_fields": fields,
        },
    )
    if request.levels and any(part.levels for part in parts):
        dataset = dataset.assign_coords(level=("level", np.array(request.levels, np.float64)))
    for variable, places in found.items():
        mine = [part for part in parts if part.entry.id == variable]
        dataset[variable] = _array(mine, times, places, read, grid)
    return dataset


def _array(
    parts: list[_Part],
    times: list[datetime],
    places: list[FieldPlace | None],
    read: _FieldReader,
    grid: Grid,
) -> xr.Variable:
    variable = parts[0].variable
    shape = (*((len(parts[0].levels),) if parts[0].levels else ()), *grid.shape)
    dims = (*(("level",) if parts[0].levels else ()), "y", "x")
    stack = _Stack(tuple(parts), tuple(map(moment_text, times)), tuple(places), read, shape)
    attrs = {"units": variable.units, "long_name": variable.long_name}
    if variable.kind == "static":
        first = next((i for i, place in enumerate(places) if place), None)
        if first is None:
            raise NotFound("REG-330", f"no file holds {variable.id}", where=read.archive.location)
        return xr.Variable(dims, static_field(partial(stack, first), shape), attrs)
    return xr.Variable(("time", *dims), field_stack(stack, len(times), shape), attrs)


@dataclass(frozen=True)
class _Stack:
    """Reads a variable's field by the position of its time."""

    parts: tuple[_Part, ...]
    moments: tuple[str, ...]
    places: tuple[FieldPlace | None, ...]
    read: _FieldReader
    shape: tuple[int, ...]

    def __call__(self, index: int) -> Field:
        place = self.places[index]
        if place is None:
            return np.full(self.shape, np.nan, np.float32)
        part = next(part for part in self.parts if part.serves(self.moments[index]))
        return self.read.read(part, place)


def _missing(
    request: ReadRequest, times: list[datetime], found: dict[str, list[FieldPlace | None]]
) -> tuple[list[str], dict[str, list[str]]]:
    """The times that no variable has, and by variable the others that it lacks."""
    moving = {
        name: places for name, places in found.items() if request.lexicon[name].kind != "static"
    } or found
    moments = list(map(moment_text, times))
    absent = [
        moment
        for i, moment in enumerate(moments)
        if all(places[i] is None for places in moving.values())
    ]
    gone = set(absent)
    fields = {
        name: [m for m, place in zip(moments, places, strict=True) if not place and m not in gone]
        for name, places in moving.items()
    }
    return absent, {name: lacking for name, lacking in fields.items() if lacking}
