"""CF NetCDF files: one folder or file, variables in any of the files, joined along time.

The dataset carries the ``license`` of the files, ``non_commercial``, and ``repeated_times``:
times that came in several files with equal fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.lazy import field_stack, static_field
from wxreg.data.readers.cf_files import Piece, ReadField, Series, join, licence_of
from wxreg.data.reading import ReadRequest
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.specs.variables import ArraySelector, VariableEntry

_PER_LEVEL: Final = {"Pa": 100.0, "hPa": 1.0, "millibars": 1.0, "m": 1.0}
"""How many units of the file one unit of the lexicon's levels is."""
_ROWS: Final = ("lat", "latitude", "y", "rlat", "j")


class CfNetcdf:
    """Reads the layout ``cf-netcdf``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The wanted variables of the files."""
        place = Path(request.location)
        files = (
            [place] if place.is_file() else sorted([*place.rglob("*.nc"), *place.rglob("*.nc4")])
        )
        if not files:
            raise NotFound("REG-335", "no NetCDF file is here", where=request.location)
        pieces = [Piece(str(path)) for path in files]
        return assemble(request, {entry.id: pieces for entry in request.entries})


def assemble(request: ReadRequest, pieces: Mapping[str, Sequence[Piece]]) -> xr.Dataset:
    """The canonical dataset of the request from the pieces of each variable."""
    series = {
        entry.id: join(
            pieces[entry.id], _selector(request, entry).name, request.location, request.times
        )
        for entry in request.entries
    }
    times = _common_times([one for one in series.values() if len(one.times)], request.location)
    first = next(iter(series.values())).first
    made = _place(first, next(iter(series.values())).name, request)
    if times is not None:
        made.coords["time"] = times
    for entry in request.entries:
        made[entry.id] = _field(request, entry, series[entry.id], made)
    absent = {name: one.absent(request.location) for name, one in series.items()}
    licence, closed = licence_of(first.attrs)
    return made.assign_attrs(
        winds="earth-relative",
        missing_times=[],
        missing_fields={name: gone for name, gone in absent.items() if gone},
        license=licence or "",
        non_commercial=closed,
        repeated_times=sorted({moment for one in series.values() for moment in one.repeated}),
        calendar=_calendar_of(times),
    )


def _selector(request: ReadRequest, entry: VariableEntry) -> ArraySelector:
    found = entry.netcdf or entry.zarr
    if found is None:
        raise Incompatible("REG-437", f"{entry.id} has no NetCDF selector", where=request.location)
    return found


def _common_times(series: list[Series], where: str) -> NDArray[Any] | None:
    if not series:
        return None
    for other in series[1:]:
        if len(other.times) != len(series[0].times) or (other.times != series[0].times).any():
            raise IntegrityError(
                "REG-535",
                f"{series[0].name} and {other.name} have different times",
                where=where,
                hint="choose a period that every variable has",
            )
    return series[0].times


def _calendar_of(times: NDArray[Any] | None) -> str:
    if times is None or np.issubdtype(times.dtype, np.datetime64):
        return "standard"
    return str(times[0].calendar)


def _place(first: xr.Dataset, name: str, request: ReadRequest) -> xr.Dataset:
    """The coordinates of the cells, in the row order of the file."""
    row_dim, column_dim = map(str, first[name].dims[-2:])
    shape = (first.sizes[row_dim], first.sizes[column_dim])
    if shape[0] * shape[1] > request.cell_limit:
        raise IntegrityError(
            "REG-536", f"a field claims {shape[0]} × {shape[1]} cells", where=request.location
        )
    y, x = (
        np.asarray(first[dim].values if dim in first.coords else np.arange(first.sizes[dim]), float)
        for dim in (row_dim, column_dim)
    )
    lat, lon = (_degrees(first, names, shape) for names in (_LATS, _LONS))
    if lat is None or lon is None:
        lat, lon = np.broadcast_to(y[:, None], shape), np.broadcast_to(x[None], shape)
    north_up = bool(lat[0].mean() > lat[-1].mean())
    return xr.Dataset(
        coords={"y": y, "x": x, "lat": (("y", "x"), lat), "lon": (("y", "x"), lon)},
        attrs={"rows": "north-to-south" if north_up else "south-to-north"},
    )


_LATS: Final = ("lat", "latitude", "nav_lat")
_LONS: Final = ("lon", "longitude", "nav_lon")


def _degrees(
    first: xr.Dataset, names: tuple[str, ...], shape: tuple[int, int]
) -> NDArray[np.float64] | None:
    """Two-dimensional degrees, where the file has them."""
    for name in names:
        if name in first.variables and first[name].shape == shape:
            return np.asarray(first[name].values, np.float64)
    return None


def _field(
    request: ReadRequest, entry: VariableEntry, series: Series, made: xr.Dataset
) -> tuple[tuple[str, ...], Any]:
    variable = request.variable(entry)
    shape = (made.sizes["y"], made.sizes["x"])
    dims: tuple[str, ...] = ("y", "x")
    levels: tuple[int, ...] | None = None
    if variable.levels != "none":
        levels = _levels(request, series)
        made.coords["level"] = np.array(request.levels, np.float64)
        dims, shape = ("level", *dims), (len(levels), *shape)  # type: ignore[assignment]
    read = ReadField(series, entry, variable, levels)
    if not len(series.times):
        return dims, static_field(partial(read, 0), shape)
    return ("time", *dims), field_stack(read, len(series.times), shape)


def _levels(request: ReadRequest, series: Series) -> tuple[int, ...]:
    """Positions of the wanted levels; each must be there."""
    array = series.first[series.name]
    dim = str(array.dims[-3])
    axis = series.first[dim]
    factor = _PER_LEVEL.get(str(axis.attrs.get("units", "")))
    if factor is None or not request.levels:
        raise Incompatible(
            "REG-437",
            f"{series.name} has levels in {axis.attrs.get('units')!r}; wanted: {request.levels}",
            where=request.location,
        )
    found = []
    for level in request.levels:
        hits = np.flatnonzero(np.isclose(axis.values, level * factor, rtol=1e-5))
        if not hits.size:
            shown = ", ".join(f"{value / factor:g}" for value in axis.values)
            raise NotFound(
                "REG-335",
                f"{series.name} has no level {level:g}",
                where=request.location,
                hint=f"levels: {shown}",
            )
        found.append(int(hits[0]))
    return tuple(found)
