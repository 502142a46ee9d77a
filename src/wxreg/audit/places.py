"""Which init, lead, member and level a field of a file says it is of, by the file's coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cftime
import numpy as np
import xarray as xr

from wxreg.data.payload_index import FieldPrint

_SECONDS: Final = {
    "nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3,
    "seconds": 1, "minutes": 60, "hours": 3600, "days": 86400,
}  # fmt: skip
_AXES: Final = ("init_time", "lead_time", "member", "level")
_SEGMENT: Final = "segment"
"""Stands beside the init times where two events may start at once."""
_GRID_UNITS: Final = ("degrees_north", "degrees_east", "degree_north", "degree_east")
_GRID_NAMES: Final = frozenset({"lat", "lon", "latitude", "longitude", "XLAT", "XLONG"})


@dataclass(frozen=True)
class Place:
    """What a field is of; None where the file does not say."""

    variable: str
    init: int | None
    lead: int | None
    member: int | None
    level: float | None
    segment: int | None = None


@dataclass(frozen=True)
class Labels:
    """The coordinates of a file: for each axis of a forecast, the value at each position."""

    axes: Mapping[str, tuple[Any, ...]]
    grid: frozenset[str]
    """Arrays that say where cells lie, and so are no forecast fields."""

    @classmethod
    def of(cls, opened: xr.Dataset) -> Labels:
        """Read the coordinates of an open file, as far as they are understood."""
        known = (*_AXES, _SEGMENT)
        axes = {name: _axis(opened[name], name) for name in known if name in opened.variables}
        named = {
            word
            for array in opened.variables.values()
            for word in str(array.attrs.get("coordinates", "")).split()
        }
        grid = {
            str(name)
            for name, array in opened.data_vars.items()
            if name in named | _GRID_NAMES or array.attrs.get("units") in _GRID_UNITS
        }
        return cls(axes, frozenset(grid))

    def place(self, found: FieldPrint) -> Place:
        """What a field is of."""
        index = dict(found.index)
        init, lead, member, level = (self._value(name, index) for name in _AXES)
        beside = {_SEGMENT: index["init_time"]} if "init_time" in index else {}
        segment = self._value(_SEGMENT, beside)
        return Place(found.variable, init, lead, member, level, segment)

    def _value(self, axis: str, index: Mapping[str, int]) -> Any:
        values = self.axes.get(axis, ())
        if axis in index:
            return values[index[axis]] if values else None
        return values[0] if len(values) == 1 else None


def _axis(array: xr.DataArray, name: str) -> tuple[Any, ...]:
    """The values of one axis: seconds for times, plain numbers for the others; empty if unclear."""
    values = np.atleast_1d(array.values)
    units = str(array.attrs.get("units", ""))
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        return ()
    if name == "level":
        return tuple(float(value) for value in values)
    if name in ("member", _SEGMENT):
        return tuple(int(value) for value in values)
    if name == "lead_time":
        factor = _SECONDS.get(units)
        return () if factor is None else tuple(round(float(v) * factor) for v in values)
    return _moments(values, units, str(array.attrs.get("calendar", "standard")))


def _moments(values: Any, units: str, calendar: str) -> tuple[int, ...]:
    try:
        times = cftime.num2date(values, units, calendar)
        found = cftime.date2num(times, "seconds since 1970-01-01", calendar)
    except (ValueError, OverflowError):
        return ()
    return tuple(round(float(value)) for value in np.atleast_1d(found))
