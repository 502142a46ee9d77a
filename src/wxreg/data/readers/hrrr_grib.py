"""HRRR in the layout of its public archive: one GRIB2 file per run, forecast hour and product.

:mod:`wxreg.data.readers.hrrr_places` says where each field lies; here they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar, Final

import numpy as np
import xarray as xr

from wxreg.data.clock import axis, moment_text, regular_times
from wxreg.data.grids import coordinates
from wxreg.data.lazy import Field, field_stack, static_field
from wxreg.data.readers.grib_decoding import DecodedField, decode_message
from wxreg.data.readers.grib_source import Archive, ByteRange
from wxreg.data.readers.hrrr_places import (
    FieldPlace,
    Message,
    Part,
    index_files,
    part_of,
    places_of,
)
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.specs.grid import Grid

_CORNER_DEGREES: Final = 0.02
"""How far the first point may lie from the declared one; HRRR v3 moved its origin by 53 m."""


class HrrrGrib:
    """Reads the layout ``hrrr-grib``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset; every file is indexed now, so that gaps are known at once."""
        grid = _grid(request)
        archive = Archive(request.location, dict(request.storage_options))
        times = _times(request)
        parts = [part_of(request, entry) for entry in request.entries]
        indexes = index_files(archive, parts, times)
        if not any(indexes.values()):
            raise NotFound("REG-330", "no file of these times is there", where=request.location)
        found = {
            variable: places_of(
                [p for p in parts if p.entry.id == variable], times, indexes, archive
            )
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


@dataclass(frozen=True)
class _FieldReader:
    """Reads the field at a place, checked against the declared grid."""

    archive: Archive
    grid: Grid
    cell_limit: int

    def read(self, part: Part, place: FieldPlace) -> Field:
        """The canonical values of one time of one variable."""
        planes = [self._plane(part, message) for message in place]
        values = np.stack(planes) if part.levels else planes[0]
        return to_canonical(values, part.entry, part.variable)

    def _plane(self, part: Part, message: Message) -> Field:
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
    parts: list[Part],
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
    parts: list[Part],
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

    parts: tuple[Part, ...]
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
