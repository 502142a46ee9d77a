"""One preparation seen from inside: an open source, its units of work, the shards they write."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import xarray as xr
import zarr

from wxreg.data.clock import moment_keys
from wxreg.data.gaps import FieldGaps, refuse_gaps
from wxreg.data.prepare_fields import UnitFields
from wxreg.data.prepare_plan import PreparePlan, Unit
from wxreg.data.prepare_source import open_checked, seconds_of
from wxreg.data.reading import reader_semantics
from wxreg.data.stores import (
    FLAGS,
    StoredVariable,
    create_store,
    storage_errors,
)
from wxreg.data.target import Fields, Placement
from wxreg.errors import Incompatible
from wxreg.specs.architecture import PREPARE_SEMANTICS


class Job:
    """One open source with what writing its shards needs."""

    def __init__(self, plan: PreparePlan) -> None:
        self.plan = plan
        self.source = open_checked(plan)
        self.placement = Placement(self.source, plan.request.grid, plan.target)
        self.seconds = seconds_of(self.source)
        self.moments = moment_keys(self.source)
        segments = self.source.coords.get("segment")
        self.gaps = {
            name: self._gaps(name, None if segments is None else segments.values)
            for name in self.moving()
        }

    def partial_path(self) -> Path:
        """Where the store grows until it is whole."""
        return self.plan.output.with_name(self.plan.output.name + ".partial")

    def names(self) -> list[str]:
        """The variables of the store."""
        return [str(name) for name in self.source.data_vars]

    def moving(self) -> list[str]:
        """The variables with a time axis."""
        return [name for name in self.names() if "time" in self.source[name].dims]

    def _gaps(self, name: str, segments: Any) -> FieldGaps:
        absent = set(self.source.attrs["missing_times"])
        absent |= set(self.source.attrs.get("missing_fields", {}).get(name, ()))
        lacking = [moment for moment in self.moments if moment in absent]
        refuse_gaps(self.plan.gaps, name, lacking, self.plan.request.location)
        positions = tuple(i for i, moment in enumerate(self.moments) if moment in absent)
        return FieldGaps(self.plan.gaps, positions, self.seconds, segments)

    def units(self) -> list[Unit]:
        """Every unit of work, in a fixed order."""
        found: list[Unit] = []
        for variable in self.variables():
            names = self._together(variable.name)
            if names[0] != variable.name:
                continue  # written with its partner
            step = variable.times_per_shard()
            ends = range(0, variable.shape[0], step) if variable.moving else range(1)
            found += [Unit(names, at, min(at + step, variable.shape[0])) for at in ends]
        return found

    def _together(self, name: str) -> tuple[str, ...]:
        """The variable, or the vector it belongs to as (x, y), if winds must be turned."""
        pair = self._pair(name)
        if pair is None or self.placement.winds == "earth-relative":
            return (name,)
        return pair

    def _pair(self, name: str) -> tuple[str, str] | None:
        variable = self.plan.request.lexicon[name]
        if variable.vector is None or variable.partner is None:
            return None
        if variable.partner not in self.source.data_vars:
            if self.placement.winds == "earth-relative":
                return None
            raise Incompatible(
                "REG-430",
                f"{name} is relative to the grid and cannot be turned without {variable.partner}",
                hint=f"prepare {variable.partner} as well",
            )
        both = (name, variable.partner)
        return both if variable.vector == "x" else (both[1], both[0])

    def variables(self) -> tuple[StoredVariable, ...]:
        """The arrays of the store."""
        shape = (len(self.placement.place.y), len(self.placement.place.x))
        found = []
        for name in self.names():
            source = self.source[name]
            leading = source.dims[:-2]
            dims = (*map(str, leading), "y", "x")
            sizes = (*(source.sizes[dim] for dim in leading), *shape)
            variable = self.plan.request.lexicon[name]
            attrs = {"units": variable.units, "long_name": variable.long_name}
            if variable.standard_name:
                attrs["standard_name"] = variable.standard_name
            found.append(StoredVariable(name, dims, sizes, attrs))
        return tuple(found)

    def create(self, path: Path) -> None:
        """Begin the store anew; it has its name only when all its arrays are described."""
        fresh = path.with_name(f"{path.name}.new")
        for leftover in (path, fresh):
            shutil.rmtree(leftover, ignore_errors=True)
        attrs = {
            "Conventions": "CF-1.11",
            "missing_times": self.still_missing(),
            "missing_fields": self.source.attrs.get("missing_fields", {}),
            **_of_events(self.source),
            "wxreg": {
                "identity": self.plan.identity(),
                "source_digest": self.plan.source_digest,
                "reader": reader_semantics(self.plan.request.layout),
                "prepare": PREPARE_SEMANTICS,
                "gaps": self.plan.gaps,
                **({"masks": [one.body() for one in self.plan.masks]} if self.plan.masks else {}),
                "grid": self.placement.grid.body() if self.placement.grid else None,
            },
        }
        create_store(fresh, self.variables(), self._coords(self.flags()), attrs)
        with storage_errors(path):
            fresh.rename(path)

    def flags(self) -> dict[str, Any]:
        """What became of every field: by variable, along the time axis."""
        return {name: gaps.flags() for name, gaps in self.gaps.items()}

    def still_missing(self) -> list[str]:
        """The times at which no variable has a value, read or filled."""
        flags = self.flags()
        if not flags:
            return []
        gone = np.stack(list(flags.values())) == FLAGS["missing"]
        return [self.moments[i] for i in np.flatnonzero(gone.all(axis=0))]

    def _coords(self, flags: dict[str, Any]) -> dict[str, xr.Variable]:
        place, grid = self.placement.place, self.placement.grid
        crs = grid.crs if grid else "latlon"
        projected = crs != "latlon"
        unit = {"units": "m"} if projected else {}
        coords = {
            "y": xr.Variable("y", place.y, {**unit, "axis": "Y"}),
            "x": xr.Variable("x", place.x, {**unit, "axis": "X"}),
            "lat": xr.Variable(("y", "x"), place.lat, {"units": "degrees_north"}),
            "lon": xr.Variable(("y", "x"), place.lon, {"units": "degrees_east"}),
            "crs": xr.Variable((), np.int32(0), {"crs_wkt": _wkt(crs), "proj": crs}),
        }
        for name in ("time", "segment", "level"):
            if name in self.source.coords:
                coords[name] = self.source[name].variable
        if flags:
            coords["quality_flag"] = xr.Variable(
                ("time", "field"),
                np.stack(list(flags.values()), axis=1),
                {
                    "fields": list(flags),
                    "flag_values": list(FLAGS.values()),
                    "flag_meanings": " ".join(FLAGS),
                },
            )
        return coords

    def done(self, path: Path, unit: Unit) -> bool:
        """Whether the files of a unit are there."""
        return all(self._shard(path, name, unit).is_file() for name in unit.names)

    def _shard(self, path: Path, name: str, unit: Unit) -> Path:
        variable = next(v for v in self.variables() if v.name == name)
        index = unit.start // variable.times_per_shard() if variable.moving else 0
        rest = len(variable.shape) - 1
        return path.joinpath(name, "c", str(index), *["0"] * rest)

    def write(self, unit: Unit) -> None:
        """Read, place and store the fields of a unit."""
        values = self._fields(unit)
        group = zarr.open_group(self.partial_path(), mode="r+")
        with storage_errors(self.plan.output):
            for name in unit.names:
                array = group[name]
                assert isinstance(array, zarr.Array)
                if "time" in self.source[name].dims:
                    array[unit.start : unit.stop] = values[name]
                else:
                    array[...] = values[name]

    def _fields(self, unit: Unit) -> Fields:
        window = UnitFields(self.source, self.placement, unit, self.plan.request.location)
        if "time" not in self.source[unit.names[0]].dims:
            return window.constant()
        shapes = {v.name: v.shape[1:] for v in self.variables()}
        count = unit.stop - unit.start
        made = {name: np.empty((count, *shapes[name]), np.float32) for name in unit.names}
        for i in range(count):
            for name, out in made.items():
                out[i] = self.gaps[name].field(unit.start + i, partial(window.field, name))
        return made

    def filled_fields(self) -> int:
        """How many fields the gap policy fills."""
        return sum(int((gaps.flags() > FLAGS["missing"]).sum()) for gaps in self.gaps.values())


def _of_events(source: xr.Dataset) -> dict[str, Any]:
    """Which events or stations a source has, and how many it leaves out and why."""
    left_out = {why: count for why, count in source.attrs.get("left_out", {}).items() if count}
    stations = source.attrs.get("stations")
    known = {"events": source.attrs.get("events"), "left_out": left_out, "stations": stations}
    return {name: value for name, value in known.items() if value}


def _wkt(crs: str) -> str:
    return str(pyproj.CRS("EPSG:4326" if crs == "latlon" else crs).to_wkt())
