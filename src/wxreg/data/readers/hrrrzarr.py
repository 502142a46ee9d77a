"""hrrrzarr: one Zarr store per run and product, with doubly nested groups and no coordinates.

``{root}/sfc/20230601/20230601_00z_anl.zarr/2m_above_ground/TMP/2m_above_ground/TMP``.  Analyses
hold instantaneous fields; the hourly extremes and accumulations of a state come from the first
hour of the forecast store of the run before, under names that carry their statistic.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

import fsspec
import numpy as np
import xarray as xr
import zarr

from wxreg.data.clock import axis, moment_text, regular_times
from wxreg.data.grids import coordinates
from wxreg.data.lazy import Field, field_stack, static_field
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.specs.grid import Grid
from wxreg.specs.variables import VariableEntry

_PRODUCT: Final = "sfc"


class HrrrZarr:
    """Reads the layout ``hrrrzarr``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset; which arrays are there is looked up now."""
        grid, times = _grid(request), _times(request)
        place = coordinates(grid)
        moments = list(map(moment_text, times))
        made = xr.Dataset(
            coords={
                **_levels(request),
                "time": ("time", axis(times)),
                "y": ("y", place.y),
                "x": ("x", place.x),
                "lat": (("y", "x"), place.lat),
                "lon": (("y", "x"), place.lon),
            }
        )
        lost: dict[str, set[str]] = {}
        for entry in request.entries:
            read = _Arrays(request, entry, grid, tuple(times))
            absent = read.absent()
            lost[entry.id] = {moments[i] for i in absent}
            made[entry.id] = read.variable(absent)
        nowhere = set.intersection(*lost.values())
        if len(nowhere) == len(moments):
            raise NotFound("REG-330", "no array of these times is there", where=request.location)
        return made.assign_attrs(
            rows=grid.rows,
            winds=grid.winds,
            missing_times=sorted(nowhere),
            missing_fields={n: sorted(m - nowhere) for n, m in lost.items() if m - nowhere},
        )


def _grid(request: ReadRequest) -> Grid:
    if request.grid is None:
        raise UsageError(
            "REG-230",
            "hrrrzarr stores no coordinates: the catalog's grid is needed",
            where=request.location,
        )
    return request.grid


def _times(request: ReadRequest) -> list[datetime]:
    start, end = request.times or (request.time.start, request.time.end)
    if start is None or end is None:
        raise UsageError(
            "REG-230", "the archive is open-ended: give a start and an end", where=request.location
        )
    return regular_times(start, end, request.time.cadence)


def _levels(request: ReadRequest) -> dict[str, Any]:
    """The coordinate of the levels, where any variable is on levels."""
    if not any(_on_levels(entry) for entry in request.entries):
        return {}
    if not request.levels:
        raise UsageError("REG-230", "variables on levels: say which", where=request.location)
    return {"level": ("level", np.array(request.levels, np.float64))}


def _on_levels(entry: VariableEntry) -> bool:
    selector = entry.hrrrzarr
    return selector is not None and "{level}" in (selector.group or "")


@dataclass(frozen=True)
class _Arrays:
    """The arrays of one variable: one per time, or one per time and level."""

    request: ReadRequest
    entry: VariableEntry
    grid: Grid
    times: tuple[datetime, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each level, or the one there is."""
        selector = self.entry.hrrrzarr
        if selector is None or selector.group is None:
            raise Incompatible(
                "REG-430", f"{self.entry.id} has no hrrrzarr selector", where=self.request.location
            )
        if not _on_levels(self.entry):
            return (selector.group,)
        return tuple(selector.group.format(level=f"{level:g}") for level in self.request.levels)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one field."""
        levels = (len(self.groups),) if _on_levels(self.entry) else ()
        return (*levels, *self.grid.shape)

    def path(self, index: int, group: str) -> str:
        """Where the array of a time and group lies."""
        assert self.entry.hrrrzarr is not None
        time = self.times[index]
        run = time if self.entry.analysis else time - timedelta(hours=1)
        store = f"{run:%Y%m%d_%H}z_{'anl' if self.entry.analysis else 'fcst'}.zarr"
        product = self.request.product or _PRODUCT
        nested = f"{group}/{self.entry.hrrrzarr.name}"
        return f"{product}/{run:%Y%m%d}/{store}/{nested}/{nested}"

    def absent(self) -> list[int]:
        """The positions of times whose arrays are not there; some levels alone are an error."""
        filesystem, root = fsspec.core.url_to_fs(
            self.request.location, **dict(self.request.storage_options)
        )
        found = []
        for i in range(len(self.times)):
            places = [f"{root.rstrip('/')}/{self.path(i, group)}" for group in self.groups]
            there = [bool(filesystem.exists(f"{place}/.zarray")) for place in places]
            if not any(there):
                found.append(i)
            elif not all(there):
                lacking = [place for place, known in zip(places, there, strict=True) if not known]
                raise Incompatible(
                    "REG-430", f"{self.entry.id} is there, but not on every level", where=lacking[0]
                )
        return found

    def variable(self, absent: list[int]) -> xr.Variable:
        """The lazy canonical variable."""
        described = self.request.variable(self.entry)
        attrs = {"units": described.units, "long_name": described.long_name}
        reading = partial(self.field, frozenset(absent))
        dims = (*(("level",) if len(self.shape) == 3 else ()), "y", "x")
        if described.kind == "static":
            first = next((i for i in range(len(self.times)) if i not in absent), 0)
            return xr.Variable(dims, static_field(partial(reading, first), self.shape), attrs)
        return xr.Variable(
            ("time", *dims), field_stack(reading, len(self.times), self.shape), attrs
        )

    def field(self, absent: frozenset[int], index: int) -> Field:
        """The canonical values of one time; NaN where the archive has none."""
        if index in absent:
            return np.full(self.shape, np.nan, np.float32)
        planes = [self._plane(self.path(index, group)) for group in self.groups]
        values = np.stack(planes) if len(self.shape) == 3 else planes[0]
        return to_canonical(values, self.entry, self.request.variable(self.entry))

    def _plane(self, path: str) -> Any:
        array: Any = zarr.open_array(
            f"{self.request.location.rstrip('/')}/{path}",
            mode="r",
            storage_options=dict(self.request.storage_options) or None,
        )
        self._check(array, path)
        values = np.asarray(array[...] if array.ndim == 2 else array[0])
        if np.isinf(values).any():
            raise IntegrityError(
                "REG-530", f"{self.entry.id} overflows its {array.dtype}", where=path
            )
        return values

    def _check(self, array: Any, path: str) -> None:
        if tuple(array.shape[-2:]) != self.grid.shape:
            raise Incompatible(
                "REG-430",
                f"the array has {tuple(array.shape[-2:])} cells, not {self.grid.shape}",
                where=path,
            )
        if not array.nchunks_initialized:
            raise IntegrityError(
                "REG-530", "the array is described, but none of its chunks is stored", where=path
            )
