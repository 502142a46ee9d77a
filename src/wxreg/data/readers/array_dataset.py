"""From arrays with names and coordinates (Zarr, NetCDF) to the canonical dataset."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.clock import axis, moments_of, regular_times
from wxreg.data.grids import coordinates
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.ids import near_names
from wxreg.specs.grid import Grid
from wxreg.specs.variables import ArraySelector, VariableEntry

Selecting = Callable[[VariableEntry], ArraySelector | None]

TIMES: Final = ("time", "valid_time", "Time")
LEVELS: Final = ("level", "pressure_level", "isobaricInhPa", "lev", "plev")
ROWS: Final = ("y", "lat", "latitude", "south_north", "projection_y_coordinate")
COLUMNS: Final = ("x", "lon", "longitude", "west_east", "projection_x_coordinate")


@dataclass(frozen=True)
class Dims:
    """What a source calls the canonical dimensions."""

    y: str
    x: str
    time: str | None = None
    level: str | None = None

    @classmethod
    def of(cls, opened: xr.Dataset, where: str) -> Dims:
        """Found by their usual names."""
        y, x = (_first(names, opened.dims) for names in (ROWS, COLUMNS))
        if y is None or x is None:
            raise Incompatible(
                "REG-430", f"rows and columns are not among {list(opened.dims)}", where=where
            )
        return cls(y, x, _first(TIMES, opened.dims), _first(LEVELS, opened.dims))

    def renaming(self) -> dict[Hashable, str]:
        """From the source's names to ours."""
        pairs = {self.y: "y", self.x: "x", self.time: "time", self.level: "level"}
        return {have: ours for have, ours in pairs.items() if have and have != ours}


def _first(names: Iterable[str], have: Any) -> str | None:
    return next((name for name in names if name in have), None)


def canonical_from_arrays(
    request: ReadRequest, opened: xr.Dataset, selecting: Selecting
) -> xr.Dataset:
    """The chosen variables of ``opened``, lazily, in the shape that every reader returns."""
    where = request.location
    dims = Dims.of(opened, where)
    plain = _without_clashes(opened, dims).rename(dims.renaming())
    plain = _at_levels(request, plain)
    plain, missing = _on_the_axis(request, plain)
    made = xr.Dataset(coords=_coords(request, plain, where))
    for entry in request.entries:
        made[entry.id] = _canonical_variable(request, plain, entry, selecting(entry))
    return made.assign_attrs(
        rows=rows_of(plain["y"].values) if "y" in plain.coords else _declared_rows(request),
        winds=request.grid.winds if request.grid else "earth-relative",
        missing_times=missing,
        missing_fields={},
    )


def _without_clashes(opened: xr.Dataset, dims: Dims) -> xr.Dataset:
    """Drop variables whose names are canonical ones of something else."""
    clashing = [new for old, new in dims.renaming().items() if new in opened.variables]
    return opened.drop_vars(clashing)


def rows_of(y: NDArray[Any]) -> str:
    """The row order that a coordinate shows."""
    return "south-to-north" if len(y) < 2 or y[-1] > y[0] else "north-to-south"


def _declared_rows(request: ReadRequest) -> str:
    if request.grid is None:
        raise UsageError(
            "REG-230", "without coordinates the grid must be declared", where=request.location
        )
    return request.grid.rows


def _at_levels(request: ReadRequest, plain: xr.Dataset) -> xr.Dataset:
    if "level" not in plain.dims or not request.levels:
        return plain
    have = np.asarray(plain["level"].values, np.float64)
    if plain["level"].attrs.get("units") == "Pa":
        have = have / 100
    found = []
    for level in request.levels:
        at = np.flatnonzero(np.isclose(have, level))
        if not at.size:
            shown = ", ".join(f"{value:g}" for value in have)
            raise NotFound(
                "REG-330",
                f"there is no level {level:g}",
                where=request.location,
                hint=f"levels: {shown}",
            )
        found.append(int(at[0]))
    return plain.isel(level=found).assign_coords(level=np.array(request.levels, np.float64))


def _on_the_axis(request: ReadRequest, plain: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """The wanted times; those of the cadence that the source lacks are added as missing."""
    if "time" not in plain.dims:
        return plain, []
    moments = moments_of(plain["time"].values)
    _check_order(plain["time"].values, moments, request.location)
    if request.times:
        first, last = request.times
        inside = np.flatnonzero([first <= moment < last for moment in moments])
        plain, moments = plain.isel(time=inside), [moments[i] for i in inside]
    if not moments:
        raise NotFound("REG-330", f"no time from {request.times} is there", where=request.location)
    if request.time.segments or not np.issubdtype(plain["time"].dtype, np.datetime64):
        return plain, []
    return _with_missing_times(request, plain, moments)


def _check_order(times: NDArray[Any], moments: list[str], where: str) -> None:
    steps = times[1:] > times[:-1]
    if not steps.all():
        at = int(np.flatnonzero(~steps)[0]) + 1
        what = "twice" if times[at] == times[at - 1] else "out of order"
        raise IntegrityError("REG-531", f"the time {moments[at]} comes {what}", where=where)


def _with_missing_times(
    request: ReadRequest, plain: xr.Dataset, moments: list[str]
) -> tuple[xr.Dataset, list[str]]:
    start, end = request.times or (moments[0], moments[-1])
    expected = axis(regular_times(start, end, request.time.cadence))
    expected = np.union1d(expected, plain["time"].values.astype("datetime64[ns]"))
    if len(expected) == len(moments):
        return plain, []
    have = set(moments)
    missing = [moment for moment in moments_of(expected) if moment not in have]
    moving = [name for name in plain.data_vars if "time" in plain[name].dims]
    still = plain.drop_vars(moving).drop_vars("time")
    return plain[moving].reindex(time=expected).merge(still), missing


def _coords(request: ReadRequest, plain: xr.Dataset, where: str) -> dict[str, Any]:
    coords = {name: plain[name] for name in ("time", "level") if name in plain.coords}
    grid = request.grid
    if grid is not None and (plain.sizes["y"], plain.sizes["x"]) != grid.shape:
        raise Incompatible(
            "REG-430",
            f"{plain.sizes['y']} x {plain.sizes['x']} cells, but the catalog says {grid.shape}",
            where=where,
        )
    if grid is not None and grid.origin is not None:
        place = coordinates(grid)
        _check_place(plain, grid, where)
        return coords | {
            "y": place.y,
            "x": place.x,
            "lat": (("y", "x"), place.lat),
            "lon": (("y", "x"), place.lon),
        }
    return coords | _own_coords(plain)


def _check_place(plain: xr.Dataset, grid: Grid, where: str) -> None:
    place, degrees, spacing = coordinates(grid), grid.units == "degree", min(grid.spacing)
    for name, declared in (("y", place.y), ("x", place.x)):
        if name not in plain.coords:
            continue
        have = np.asarray(plain[name].values, np.float64)
        away = np.abs(have - declared)
        if degrees:
            away = np.abs((have - declared + 180) % 360 - 180)
        if away.max() > 0.1 * spacing:
            raise Incompatible(
                "REG-430",
                f"{name} runs from {have[0]:g} to {have[-1]:g}; the catalog says "
                f"{declared[0]:g} to {declared[-1]:g}",
                where=where,
            )


def _own_coords(plain: xr.Dataset) -> dict[str, Any]:
    coords: dict[str, Any] = {
        name: np.asarray(plain[name].values, np.float64) for name in ("y", "x")
    }
    planes = {"lat": ("lat", "latitude", "XLAT"), "lon": ("lon", "longitude", "XLONG")}
    for name, spellings in planes.items():
        own = next((s for s in spellings if s in plain.variables and plain[s].ndim == 2), None)
        if own is not None:
            coords[name] = (("y", "x"), np.asarray(plain[own].values, np.float64))
    if "lat" not in coords:
        lon, lat = np.meshgrid((coords["x"] + 180) % 360 - 180, coords["y"])
        coords |= {"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)}
    return coords


def _canonical_variable(
    request: ReadRequest, plain: xr.Dataset, entry: VariableEntry, selector: ArraySelector | None
) -> xr.Variable:
    variable = request.variable(entry)
    name = selector.name if selector else entry.id
    if name not in plain.data_vars:
        near = near_names(name, map(str, plain.data_vars))
        raise NotFound(
            "REG-330",
            f"there is no array {name!r} for {entry.id}",
            where=request.location,
            hint=f"near: {', '.join(near)}" if near else None,
        )
    source = plain[name]
    order = [dim for dim in ("time", "level", "y", "x") if dim in source.dims]
    extra = [dim for dim in source.dims if dim not in order and source.sizes[dim] == 1]
    source = source.squeeze(extra, drop=True).transpose(*order)
    if variable.kind == "static" and "time" in source.dims:
        source = source.isel(time=0)
    data: Any = source.data if isinstance(source.data, da.Array) else source.chunk().data
    cells = int(np.prod([source.sizes["y"], source.sizes["x"]]))
    if cells > request.cell_limit:
        raise Incompatible(
            "REG-431",
            f"{name} claims {cells:,} cells; the limit is {request.cell_limit:,}",
            where=request.location,
        )
    converted = data.map_blocks(to_canonical, entry, variable, dtype=np.float32)
    attrs = {"units": variable.units, "long_name": variable.long_name}
    return xr.Variable(source.dims, converted, attrs)
