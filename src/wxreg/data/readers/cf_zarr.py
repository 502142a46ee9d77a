"""Zarr stores with CF coordinates: format 2 or 3, sharded or not, consolidated or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import xarray as xr
import zarr
from zarr.core.sync import sync

from wxreg.data.clock import moments_of
from wxreg.data.patience import patiently
from wxreg.data.readers.array_dataset import TIMES, canonical_from_arrays
from wxreg.data.reading import ReadRequest
from wxreg.errors import ExternalError, IntegrityError, NotFound
from wxreg.specs.variables import ArraySelector, VariableEntry

_AT_ONCE: Final = 16
"""Chunks that a store is asked about at once."""


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
    consolidated = open_group(request).metadata.consolidated_metadata is not None
    with _zarr_errors(where):
        opened: xr.Dataset = patiently(
            lambda: xr.open_zarr(
                where,
                chunks={},
                consolidated=consolidated,
                storage_options=dict(request.storage_options) or None,
                decode_times=xr.coders.CFDatetimeCoder(use_cftime=None),
            ),
            where,
        )
    return opened


def open_group(request: ReadRequest) -> zarr.Group:
    """The store as Zarr knows it."""
    where, storage = request.location, dict(request.storage_options) or None
    with _zarr_errors(where):
        return patiently(lambda: zarr.open_group(where, mode="r", storage_options=storage), where)


@contextmanager
def _zarr_errors(where: str) -> Iterator[None]:
    """Say what a store lacks that cannot be opened."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("REG-301", "no Zarr store is here", where=where) from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            "REG-530", f"the Zarr store is damaged: {error}", where=where
        ) from error
    except OSError as error:
        raise ExternalError("REG-730", f"reading failed: {error}", where=where) from error


def without_absent_chunks(request: ReadRequest, opened: xr.Dataset, made: xr.Dataset) -> xr.Dataset:
    """``made`` with the times whose chunks were never written among its missing fields."""
    group = open_group(request)
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
    inside = [i for i, moment in enumerate(moments) if moment in wanted]
    absent = absent_positions(array, opened[name].dims.index(time), inside)
    _refuse_empty(len(absent) == len(inside), name, where)
    if not means_missing(array.fill_value):
        return []  # a chunk of zeros need not be stored
    return [moments[i] for i in absent]


def absent_positions(array: Any, at: int, positions: Sequence[int]) -> list[int]:
    """Those of some positions along axis ``at`` that no stored chunk covers."""
    long = (array.shards or array.chunks)[at]
    blocks = sorted({i // long for i in positions})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = pool.map(lambda block: _exists(array, at, block), blocks)
        stored = {block for block, found in zip(blocks, there, strict=True) if found}
    return [i for i in positions if i // long not in stored]


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
    """Asked for its size: over HTTP fsspec takes every answer but a good one for an absence."""
    key = f"{array.path}/{array.metadata.encode_chunk_key(index)}".lstrip("/")
    try:
        patiently(lambda: sync(array.store.getsize(key)), f"{array.store}/{key}")
    except FileNotFoundError:
        return False
    return True


def means_missing(fill: Any) -> bool:
    """Whether a chunk that is not stored has no values, rather than all the same."""
    return fill is None or not np.isfinite(fill) or abs(float(fill)) > 1e15
