"""CF files of one series: NetCDF or Zarr pieces joined along time in their own calendar.

No calendar is ever changed: standard times become datetime64 where that can hold them, all
others stay cftime objects.  A time that several files have is found and reported; where its
fields differ the series is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cftime
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from wxreg.data.clock import moment_text, moments_of
from wxreg.data.patience import patiently
from wxreg.data.readers.cf_zarr import absent_positions
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.specs.variables import Variable, VariableEntry

_STANDARD: Final = ("standard", "gregorian", "proleptic_gregorian")
_NON_COMMERCIAL: Final = re.compile(r"non-?\s?commercial|\bby-nc\b|\bNC-SA\b", re.IGNORECASE)
_CLASSIC: Final = b"CDF"
_TIMES: Final = ("time", "valid_time")


@dataclass(frozen=True)
class Piece:
    """One file or store that holds a part of a series."""

    path: str
    storage: str = "{}"
    """What fsspec needs for it, as JSON: a piece can be looked up."""

    @property
    def options(self) -> dict[str, Any] | None:
        """The storage options; none where there are none."""
        return json.loads(self.storage) or None

    def open(self) -> xr.Dataset:
        """The piece with its times as numbers; ``IntegrityError`` where it cannot be read."""
        return _opened(self)


@lru_cache(maxsize=16)
def _opened(piece: Piece) -> xr.Dataset:
    plain: dict[str, Any] = {"decode_times": False, "chunks": None}
    try:
        if _is_file(piece.path):
            with Path(piece.path).open("rb") as stream:
                classic = stream.read(3) == _CLASSIC
            engine = "scipy" if classic else "h5netcdf"
            return xr.open_dataset(piece.path, engine=engine, **plain)
        storage = piece.options
        found: xr.Dataset = patiently(
            lambda: xr.open_zarr(piece.path, storage_options=storage, **plain), piece.path
        )
        return found
    except FileNotFoundError as error:
        raise NotFound("REG-301", "nothing is there", where=piece.path) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise IntegrityError(
            "REG-536", f"this file cannot be read: {error}", where=piece.path
        ) from error


def _is_file(path: str) -> bool:
    return "://" not in path and Path(path).is_file()


@dataclass(frozen=True)
class Series:
    """One variable over all its pieces, ordered by time, with no time twice."""

    name: str
    """The variable's own name in the pieces."""
    times: NDArray[Any]
    """datetime64 or cftime; empty for a field without time."""
    places: tuple[tuple[Piece, int], ...]
    """The piece and position of each time."""
    repeated: tuple[str, ...]
    """Times that more than one piece has, with equal fields."""

    @property
    def first(self) -> xr.Dataset:
        """One piece, for coordinates and attributes."""
        return self.places[0][0].open()

    def absent(self, where: str) -> list[str]:
        """The times whose chunks were never stored; raises where that is all of them."""
        gone: list[int] = []
        for piece in dict.fromkeys(piece for piece, _ in self.places):
            if not _is_file(piece.path):
                mine = [(at, i) for at, (one, i) in enumerate(self.places) if one == piece]
                gone += _absent(piece, self.name, mine)
        if len(gone) == len(self.places):
            raise IntegrityError(
                "REG-530",
                f"{self.name} is described here, but none of its chunks is stored",
                where=where,
                hint="fetch the store again: only its metadata came",
            )
        return moments_of(self.times[sorted(gone)]) if gone else []


def _absent(piece: Piece, name: str, places: list[tuple[int, int]]) -> list[int]:
    """Which of ``(place in the series, position in the store)`` have no chunk: their places."""
    storage = piece.options
    group = patiently(
        lambda: zarr.open_group(piece.path, mode="r", storage_options=storage), piece.path
    )
    dims, time = piece.open()[name].dims, _time_name(piece.open(), name)
    axis = dims.index(time) if time is not None else 0
    lost = set(absent_positions(group[name], axis, [position for _, position in places]))
    return [at for at, position in places if position in lost]


def join(
    pieces: Sequence[Piece], name: str, where: str, period: tuple[str, str] | None = None
) -> Series:
    """Join what the pieces hold of ``name``, in the period or altogether."""
    holding = [piece for piece in pieces if name in piece.open().data_vars]
    if not holding:
        raise NotFound("REG-335", f"no file here holds {name!r}", where=where)
    if _time_name(holding[0].open(), name) is None:
        return Series(name, np.empty(0), ((holding[0], 0),), ())
    calendars = {piece.path: _calendar(piece.open(), name) for piece in holding}
    if len({_family(calendar) for calendar in calendars.values()}) > 1:
        shown = ", ".join(f"{Path(path).name}: {cal}" for path, cal in calendars.items())
        raise Incompatible(
            "REG-437",
            f"the files of {name} have different calendars ({shown})",
            where=where,
            hint="choose files of one calendar; days of different calendars are not the same days",
        )
    stamped = [
        (time, piece, position)
        for piece in holding
        for position, time in enumerate(_cftimes(piece.open(), name))
        if period is None or period[0] <= moment_text(time) < period[1]
    ]
    if not stamped:
        raise NotFound("REG-335", f"{name} has no time in {period}", where=where)
    stamped.sort(key=lambda one: one[0])
    return _without_repeats(name, stamped, where)


def _without_repeats(name: str, stamped: list[tuple[Any, Piece, int]], where: str) -> Series:
    kept: list[tuple[Any, Piece, int]] = []
    repeated: list[Any] = []
    for time, piece, position in stamped:
        if kept and kept[-1][0] == time:
            _check_equal(name, kept[-1], (time, piece, position), where)
            repeated.append(time)
        else:
            kept.append((time, piece, position))
    return Series(
        name,
        _compact([time for time, _, _ in kept]),
        tuple((piece, position) for _, piece, position in kept),
        tuple(moments_of(np.array(repeated, object))),
    )


def _check_equal(
    name: str, one: tuple[Any, Piece, int], two: tuple[Any, Piece, int], where: str
) -> None:
    here, there = (raw_field(name, piece, position) for _, piece, position in (one, two))
    if not np.array_equal(here, there, equal_nan=True):
        raise IntegrityError(
            "REG-535",
            f"{name} at {moments_of(np.array([one[0]], object))[0]} is in "
            f"{Path(one[1].path).name} and {Path(two[1].path).name} with different values",
            where=where,
            hint="keep the file that is right, or choose a period that only one file has",
        )


def raw_field(name: str, piece: Piece, position: int) -> NDArray[Any]:
    """The decoded field of one time, with its packing undone."""
    opened = piece.open()
    dim = _time_name(opened, name)
    array = opened[name] if dim is None else opened[name].isel({dim: position})
    try:
        return np.asarray(patiently(lambda: array.values, piece.path))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise IntegrityError(
            "REG-536", f"{name} cannot be read at position {position}: {error}", where=piece.path
        ) from error


def _time_name(opened: xr.Dataset, name: str) -> str | None:
    return next((dim for dim in _TIMES if dim in opened[name].dims), None)


def _calendar(opened: xr.Dataset, name: str) -> str:
    return str(opened[str(_time_name(opened, name))].attrs.get("calendar", "standard"))


def _family(calendar: str) -> str:
    return "standard" if calendar in _STANDARD else calendar


def _cftimes(opened: xr.Dataset, name: str) -> list[Any]:
    axis = opened[str(_time_name(opened, name))]
    decoded = cftime.num2date(
        axis.values,
        axis.attrs["units"],
        calendar=axis.attrs.get("calendar", "standard"),
        only_use_cftime_datetimes=True,
    )
    return list(np.atleast_1d(decoded))


def _compact(times: list[Any]) -> NDArray[Any]:
    """datetime64 where the calendar is standard and the range allows, else cftime objects."""
    fits = all(t.calendar in _STANDARD and 1678 <= t.year <= 2261 for t in times)
    if not fits:
        return np.array(times, object)
    texts = [t.strftime("%Y-%m-%dT%H:%M:%S") for t in times]
    return np.array(texts, "datetime64[ns]")


@dataclass(frozen=True)
class ReadField:
    """Reads the canonical field at a position of a series; pickles."""

    series: Series
    entry: VariableEntry
    variable: Variable
    levels: tuple[int, ...] | None = None
    """Positions of the wanted levels."""

    def __call__(self, position: int) -> NDArray[np.float32]:
        """The field in canonical units."""
        values = raw_field(self.series.name, *self.series.places[position])
        if self.levels is not None:
            values = values[list(self.levels)]
        return to_canonical(values, self.entry, self.variable)


def licence_of(attributes: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The licence text that a file carries, and whether it forbids commercial use."""
    text = next((str(attributes[k]) for k in ("license", "licence") if k in attributes), None)
    return text, bool(text and _NON_COMMERCIAL.search(text))
