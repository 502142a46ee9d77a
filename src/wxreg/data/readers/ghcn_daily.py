"""GHCN-Daily stations: fixed-width ``.dly`` files and the by-station CSV, as station truth.

Stations are the cells of one row: ``y`` has length 1 and ``x`` counts stations, whose names are
in ``attrs["stations"]``.  They have ``lat`` and ``lon`` where the list of stations lies beside
their files.  Values with a quality flag are missing and counted in ``attrs["flagged"]``.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.clock import moment_text
from wxreg.data.lazy import field_stack
from wxreg.data.readers.ghcn_places import station_places
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.specs.variables import ArraySelector, VariableEntry

_LINE: Final = 269
_HEAD: Final = 21
_DAY: Final = 8
_MISSING: Final = -9999
_SCALES: Final = {None: 1.0, "tenths": 0.1}


@dataclass(frozen=True)
class Report:
    """One value of one station and day."""

    station: str
    day: np.datetime64
    element: str
    value: int
    flagged: bool
    """Whether it failed a check of the producer."""


def read_dly(lines: Iterator[str], where: str, elements: Container[str]) -> Iterator[Report]:
    """The values of some elements of a fixed-width file; a line that is cut short is refused."""
    for number, text in enumerate(lines, start=1):
        line = text.rstrip("\r\n")
        if len(line.ljust(_LINE)) != _LINE or len(line) < _HEAD + _DAY * 28 - 3:
            raise _damaged(where, number, f"it has {len(line)} characters; expected {_LINE}")
        line = line.ljust(_LINE)
        if line[17:21] not in elements:
            continue
        try:
            month = np.datetime64(f"{line[11:15]}-{line[15:17]}", "M")
            for day in range(31):
                field = line[_HEAD + _DAY * day : _HEAD + _DAY * (day + 1)]
                value = int(field[:5])
                if value != _MISSING:
                    date = month.astype("datetime64[D]") + day
                    yield Report(line[:11], date, line[17:21], value, field[6] != " ")
        except ValueError as error:
            raise _damaged(where, number, str(error)) from error


def read_csv(lines: Iterator[str], where: str, elements: Container[str]) -> Iterator[Report]:
    """The by-station CSV: id, date, element, value, m-flag, q-flag, s-flag, time."""
    for number, row in enumerate(csv.reader(lines), start=1):
        if number == 1 and row and row[0].upper() in ("ID", "STATION"):
            continue
        try:
            station, date, element, value, _, quality = row[:6]
            day = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:8]}", "D")
            if int(value) != _MISSING and element in elements:
                yield Report(station, day, element, int(value), quality.strip() != "")
        except ValueError as error:
            raise _damaged(where, number, str(error)) from error


def _damaged(where: str, number: int, what: str) -> IntegrityError:
    return IntegrityError("REG-536", f"line {number} cannot be read: {what}", where=where)


class GhcnDaily:
    """Reads the layout ``ghcn-daily``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """Every station file of a folder, or one file."""
        wanted = {_selector(request, entry).name for entry in request.entries}
        reports = _within(request.times, _reports(request, wanted))
        if not reports:
            raise NotFound("REG-335", f"no report of {', '.join(wanted)}", where=request.location)
        stations = sorted({report.station for report in reports})
        days = np.unique(np.array([report.day for report in reports]))
        every = np.arange(days[0], days[-1] + 1)
        made = xr.Dataset(
            coords={
                "time": every.astype("datetime64[ns]"),
                "y": [0.0],
                "x": np.arange(len(stations), dtype=np.float64),
            },
            attrs={
                "rows": "north-to-south",
                "winds": "earth-relative",
                "missing_times": [moment_text(day) for day in np.setdiff1d(every, days)],
                "missing_fields": {},
                "stations": stations,
                "flagged": dict(Counter(r.element for r in reports if r.flagged)),
            },
        )
        places = station_places(Path(request.location), stations)
        if places is not None:
            lat, lon = places.T[:, np.newaxis]
            made = made.assign_coords(lat=(("y", "x"), lat), lon=(("y", "x"), lon))
        for entry in request.entries:
            table = _table(request, entry, reports, every, stations)
            made[entry.id] = (
                ("time", "y", "x"),
                field_stack(_Row(table), len(every), (1, len(stations))),
            )
        return made


@dataclass(frozen=True)
class _Row:
    table: NDArray[np.float32]

    def __call__(self, position: int) -> NDArray[np.float32]:
        return self.table[position : position + 1]


def _table(
    request: ReadRequest,
    entry: VariableEntry,
    reports: list[Report],
    days: NDArray[np.datetime64],
    stations: list[str],
) -> NDArray[np.float32]:
    """Canonical values ``(time, station)``."""
    selector = _selector(request, entry)
    values = np.full((len(days), len(stations)), np.nan)
    column = {station: number for number, station in enumerate(stations)}
    for report in reports:
        if report.element == selector.name and not report.flagged:
            row = int((report.day - days[0]).astype(int))
            values[row, column[report.station]] = report.value
    return to_canonical(values * _SCALES[selector.decode], entry, request.variable(entry))


def _selector(request: ReadRequest, entry: VariableEntry) -> ArraySelector:
    if entry.table is None or entry.table.decode not in _SCALES:
        raise Incompatible("REG-437", f"{entry.id} has no table selector", where=request.location)
    return entry.table


def _within(times: tuple[str, str] | None, reports: Iterator[Report]) -> list[Report]:
    if times is None:
        return list(reports)
    start, end = np.datetime64(times[0]), np.datetime64(times[1])
    return [report for report in reports if start <= report.day < end]


def _reports(request: ReadRequest, elements: Container[str]) -> Iterator[Report]:
    place = Path(request.location)
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if _kind(p))
    if not files:
        raise NotFound("REG-335", "no .dly or .csv file is here", where=request.location)
    for path in files:
        parse = read_dly if _kind(path) == ".dly" else read_csv
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            with opener(path, "rt", encoding="ascii") as stream:
                yield from parse(stream, str(path), elements)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise IntegrityError(
                "REG-536", f"the file cannot be read: {error}", where=str(path)
            ) from error


def _kind(path: Path) -> str | None:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    return suffixes[-1] if suffixes and suffixes[-1] in (".dly", ".csv") else None
