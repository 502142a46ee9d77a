"""Which files of a Zarr store hold some variables at some times: what a fetch of them brings.

The files come as they are, under the store's own names, so what is fetched is a store of the
same layout; outside the wanted times it has no chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr

from wxreg.data.clock import moments_of
from wxreg.data.readers.array_dataset import TIMES
from wxreg.data.readers.cf_zarr import means_missing, open_group, open_zarr
from wxreg.data.reading import ReadRequest
from wxreg.errors import NotFound
from wxreg.ids import near_names

_PLACES: Final = ("lat", "lon", "latitude", "longitude", "XLAT", "XLONG")


@dataclass(frozen=True)
class StoreFiles:
    """Files of a store, by their names in it; those that describe it come first."""

    names: tuple[str, ...]
    needless: frozenset[str]
    """Those that a whole store may be without."""


def store_files(request: ReadRequest, wanted: tuple[str, ...]) -> StoreFiles:
    """The files below ``request.location`` that hold arrays at the times of the request.

    ``wanted`` are arrays by the store's own names; what places them comes with them.
    """
    opened, group = open_zarr(request), open_group(request)
    absent = [name for name in wanted if name not in opened.variables]
    if absent:
        near = near_names(absent[0], map(str, opened.variables))
        raise NotFound(
            "REG-330",
            f"the store has no {', '.join(absent)}",
            where=request.location,
            hint=f"near: {', '.join(near)}" if near else None,
        )
    names = [*wanted, *_placing(opened, wanted)]
    arrays: dict[str, Any] = {name: group[name] for name in names}
    found = _described(group.metadata, "")
    for name, array in arrays.items():
        found += _described(array.metadata, f"{name}/")
    needless = {file for file in found if file.endswith(".zattrs")}
    times = {dim: _inside(opened, dim, request.times) for dim in TIMES if dim in opened.coords}
    for name, array in arrays.items():
        indexes = _chunks(array, opened[name], times if name in wanted else {})
        chunks = [f"{name}/{array.metadata.encode_chunk_key(index)}" for index in indexes]
        found += chunks
        if array.dtype.kind in "iu" or not means_missing(array.fill_value):
            needless.update(chunks)
    return StoreFiles(tuple(dict.fromkeys(found)), frozenset(needless))


def _placing(opened: xr.Dataset, wanted: tuple[str, ...]) -> list[str]:
    """Coordinates of the wanted arrays, and what says how they are projected."""
    mappings = {str(opened[name].attrs.get("grid_mapping", "crs")) for name in wanted}
    mappings |= {str(opened[name].encoding.get("grid_mapping", "crs")) for name in wanted}
    others = [name for name in (*_PLACES, *sorted(mappings)) if name in opened.variables]
    return [*map(str, opened[list(wanted)].coords), *others]


def _described(metadata: Any, below: str) -> list[str]:
    """The files with the metadata of a group or an array."""
    if metadata.zarr_format == 3:
        return [f"{below}zarr.json"]
    if below:
        return [f"{below}.zarray", f"{below}.zattrs"]
    gathered = [".zmetadata"] if metadata.consolidated_metadata is not None else []
    return [*gathered, ".zgroup", ".zattrs"]


def _inside(opened: xr.Dataset, dim: str, times: tuple[str, str] | None) -> Any:
    """The positions on a time axis that lie in the wanted span."""
    moments = moments_of(opened[dim].values)
    if times is None:
        return np.arange(len(moments))
    inside = np.flatnonzero([times[0] <= moment < times[1] for moment in moments])
    if not inside.size:
        ends = f"{moments[0]} to {moments[-1]}" if moments else "empty"
        what = f"the store has no time from {times[0]} to {times[1]}"
        raise NotFound("REG-330", what, hint=f"its times: {ends}")
    return inside


def _chunks(
    array: zarr.Array[Any], described: xr.DataArray, times: dict[str, Any]
) -> Iterator[tuple[int, ...]]:
    """The chunks (or shards) of an array that cover the wanted times."""
    sizes = array.shards or array.chunks
    blocks: list[list[int]] = []
    for dim, length, size in zip(described.dims, array.shape, sizes, strict=True):
        at = times.get(str(dim))
        every = range(-(-length // size))
        blocks.append(list(every) if at is None else sorted({int(i) // size for i in at}))
    yield from product(*blocks)
