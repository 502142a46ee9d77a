"""Zarr stores with CF coordinates: format 2 or 3, sharded or not, consolidated or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
import zarr
from zarr.core.sync import sync

from wxreg.data.clock import moments_of
from wxreg.data.readers.array_dataset import TIMES, canonical_from_arrays
from wxreg.data.reading import ReadRequest
from wxreg.errors import ExternalError, IntegrityError, NotFound
from wxreg.specs.variables import ArraySelector, VariableEntry


class CfZarr:
    """Reads the layout ``cf-zarr``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset; a store without its chunks is an error, not a field of NaN."""
        request = at_store(request)
        opened = open_zarr(request)
        made = canonical_from_arrays(request, opened, zarr_selector)
        return without_absent_chunks(request, opened, made)


def zarr_selector(entry: VariableEntry) -> ArraySelector | None:
    """How an entry is named in a Zarr store."""
    return entry.zarr


def at_store(request: ReadRequest) -> ReadRequest:
    """The request at the store itself, where it names the folder of a version that holds stores.

    Several stores of one version end in their product: ``conus404_daily.zarr``.
    """
    folder = Path(request.location)
    if "://" in request.location or ".zarr" in folder.name or not folder.is_dir():
        return request
    stores = sorted(path for path in folder.iterdir() if ".zarr" in path.name)
    if request.product:
        stores = [path for path in stores if path.name.endswith(f"_{request.product}.zarr")]
    if len(stores) != 1:
        what = f"{len(stores)} Zarr stores" + (
            f" of the product {request.product}" if request.product else ""
        )
        raise NotFound("REG-330", f"{what} are here, not one", where=request.location)
    return replace(request, location=str(stores[0]))


def open_zarr(request: ReadRequest) -> xr.Dataset:
    """The store as it is, lazily, in its own chunks."""
    where = request.location
    options = dict(request.storage_options) or None
    try:
        opened: xr.Dataset = xr.open_zarr(
            where,
            chunks={},
            consolidated=_is_consolidated(where, options),
            storage_options=options,
            decode_times=xr.coders.CFDatetimeCoder(use_cftime=None),
        )
    except FileNotFoundError as error:
        raise NotFound("REG-301", "no Zarr store is here", where=where) from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            "REG-530", f"the Zarr store is damaged: {error}", where=where
        ) from error
    except OSError as error:
        raise ExternalError("REG-730", f"reading failed: {error}", where=where) from error
    return opened


def _is_consolidated(where: str, options: dict[str, Any] | None) -> bool:
    group = zarr.open_group(where, mode="r", storage_options=options)
    return group.metadata.consolidated_metadata is not None


def without_absent_chunks(request: ReadRequest, opened: xr.Dataset, made: xr.Dataset) -> xr.Dataset:
    """``made`` with the times whose chunks were never written among its missing fields."""
    group = zarr.open_group(
        request.location, mode="r", storage_options=dict(request.storage_options) or None
    )
    wanted = set(moments_of(made["time"].values)) if "time" in made.coords else set()
    lost: dict[str, list[str]] = {}
    for entry in request.entries:
        name = entry.zarr.name if entry.zarr else entry.id
        absent = _absent_times(group[name], opened, name, wanted, request.location)
        if absent:
            lost[entry.id] = absent
    return made.assign_attrs(missing_fields=lost)


def _absent_times(
    array: Any, opened: xr.Dataset, name: str, wanted: set[str], where: str
) -> list[str]:
    """The wanted times of an array that no stored chunk covers."""
    time = next((dim for dim in TIMES if dim in opened[name].dims), None)
    if time is None:
        _refuse_empty(not _exists(array, 0), name, where)
        return []
    moments = moments_of(opened[time].values)
    long = (array.shards or array.chunks)[opened[name].dims.index(time)]
    blocks = sorted({i // long for i, moment in enumerate(moments) if moment in wanted})
    at = opened[name].dims.index(time)
    absent = {block for block in blocks if not _exists(array, at, block)}
    _refuse_empty(len(absent) == len(blocks), name, where)
    if not _means_missing(array.fill_value):
        return []  # a chunk of zeros need not be stored
    return [m for i, m in enumerate(moments) if i // long in absent and m in wanted]


def _refuse_empty(empty: bool, name: str, where: str) -> None:
    if empty:
        raise IntegrityError(
            "REG-530",
            f"{name} is described here, but none of its chunks is stored",
            where=where,
            hint="fetch the store again: only its metadata came",
        )


def _exists(array: Any, at: int, block: int = 0) -> bool:
    """Whether any chunk of a block of times is stored."""
    grid = [-(-n // c) for n, c in zip(array.shape, array.shards or array.chunks, strict=True)]
    if not grid:
        return True
    ranges = [range(block, block + 1) if i == at else range(n) for i, n in enumerate(grid)]
    keys = (tuple(int(i) for i in index) for index in np.ndindex(*map(len, ranges)))
    return any(_stored(array, tuple(r[i] for r, i in zip(ranges, k, strict=True))) for k in keys)


def _stored(array: Any, index: tuple[int, ...]) -> bool:
    key = f"{array.path}/{array.metadata.encode_chunk_key(index)}".lstrip("/")
    return bool(sync(array.store.exists(key)))


def _means_missing(fill: Any) -> bool:
    return fill is None or not np.isfinite(fill) or abs(float(fill)) > 1e15
