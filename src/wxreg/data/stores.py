"""Canonical stores: Zarr v3, sharded, one inner chunk per time of one variable, CF attributes.

A store is written under ``<path>.partial`` and renamed when it is whole, so that whatever has
its final name is complete.  Every shard is one file that is replaced in one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import cftime
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from wxreg.data.reading import ReadRequest
from wxreg.errors import IntegrityError, NotFound, StorageError

SHARD_BYTES: Final = 128 * 2**20
_TIME_UNITS: Final = "seconds since 1970-01-01"
_COMPRESSOR: Final = BloscCodec(typesize=4, cname="zstd", clevel=3, shuffle="bitshuffle")
_ATTRIBUTE: Final = "wxreg"
FLAGS: Final = {"read": 0, "missing": 1, "interpolated": 2, "previous": 3}
"""What ``quality_flag`` (time, field) says of each field."""


@dataclass(frozen=True)
class StoredVariable:
    """One array of a store to be."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: Mapping[str, Any]

    @property
    def moving(self) -> bool:
        """Whether it has a time axis."""
        return self.dims[0] == "time"

    def times_per_shard(self) -> int:
        """How many times one file holds."""
        field_bytes = 4 * int(np.prod(self.shape[1:]))
        return max(1, min(SHARD_BYTES // field_bytes, self.shape[0])) if self.moving else 1


def create_store(
    path: Path,
    variables: tuple[StoredVariable, ...],
    coords: Mapping[str, xr.Variable],
    attrs: Mapping[str, Any],
) -> zarr.Group:
    """An empty store at ``path`` with its coordinates; the fields are written afterwards."""
    with storage_errors(path):
        others = [name for name, coord in coords.items() if name not in coord.dims]
        known = {**attrs, "coordinates": " ".join(others)}
        group = zarr.create_group(path, zarr_format=3, overwrite=True, attributes=known)
        for name, coord in coords.items():
            _write_coordinate(group, name, coord)
        for variable in variables:
            _create_field(group, variable)
    return group


def _create_field(group: zarr.Group, variable: StoredVariable) -> None:
    inner = (1, *variable.shape[1:]) if variable.moving else variable.shape
    shard = (variable.times_per_shard(), *variable.shape[1:]) if variable.moving else None
    group.create_array(
        variable.name,
        shape=variable.shape,
        dtype="float32",
        chunks=inner,
        shards=shard,
        compressors=_COMPRESSOR,
        fill_value=np.float32(np.nan),
        dimension_names=variable.dims,
        attributes={**variable.attrs, **({"grid_mapping": "crs"} if "crs" in group else {})},
        config={"write_empty_chunks": True},
    )


def _write_coordinate(group: zarr.Group, name: str, coord: xr.Variable) -> None:
    values, attrs = np.asarray(coord.values), dict(coord.attrs)
    if name == "time":
        values, attrs["calendar"] = encode_times(values)
        attrs |= {"units": _TIME_UNITS, "standard_name": "time"}
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape or "auto",
        dimension_names=list(map(str, coord.dims)),
        attributes=attrs,
        config={"write_empty_chunks": True},
    )
    array[...] = values


def encode_times(times: NDArray[Any]) -> tuple[NDArray[np.int64], str]:
    """Seconds since 1970 in the calendar of ``times``, and that calendar's name."""
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[s]").astype(np.int64), "proleptic_gregorian"
    calendar = times[0].calendar
    seconds = cftime.date2num(times, _TIME_UNITS, calendar=calendar)
    return np.rint(seconds).astype(np.int64), str(calendar)


def open_store(path: Path) -> xr.Dataset:
    """A complete canonical store, lazily; its fields are the data variables."""
    if not path.exists():
        raise NotFound(
            "REG-301",
            "no prepared store is here",
            where=str(path),
            hint="`reg data prepare` makes it",
        )
    try:
        opened: xr.Dataset = xr.open_zarr(
            path,
            consolidated=False,
            decode_times=xr.coders.CFDatetimeCoder(use_cftime=None),
            decode_coords="all",
        )
    except (OSError, ValueError, KeyError) as error:
        raise IntegrityError(
            "REG-530", f"the store is damaged: {error}", where=str(path)
        ) from error
    if _ATTRIBUTE not in opened.attrs:
        raise IntegrityError("REG-530", "this Zarr store is not one of wxreg's", where=str(path))
    return opened


def store_claim(path: Path) -> dict[str, Any] | None:
    """What a store says of its origin, or None where there is no store."""
    if not (path / "zarr.json").is_file():
        return None
    claim = zarr.open_group(path, mode="r").attrs.get(_ATTRIBUTE)
    return dict(claim) if isinstance(claim, Mapping) else None


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full or unwritable disk into the error that says so."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            "REG-830",
            f"writing failed: {error.strerror or error}",
            where=str(path),
            hint="make room and run the same command again: it goes on where it stopped",
        ) from error


class CanonicalReader:
    """Reads the layout ``canonical``: stores of our own."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The wanted variables and times of a store."""
        opened = open_store(Path(request.location))
        names = [entry.id for entry in request.entries]
        absent = [name for name in names if name not in opened.data_vars]
        if absent:
            raise NotFound(
                "REG-330", f"the store has no {', '.join(absent)}", where=request.location
            )
        chosen = opened[names].assign_attrs(
            rows="north-to-south",
            winds="earth-relative",
            missing_times=list(opened.attrs.get("missing_times", [])),
            missing_fields=dict(opened.attrs.get("missing_fields", {})),
        )
        if request.times and "time" in chosen.dims:
            from wxreg.data.clock import moments_of

            inside = [
                request.times[0] <= m < request.times[1] for m in moments_of(chosen.time.values)
            ]
            chosen = chosen.isel(time=np.flatnonzero(inside))
        return chosen
