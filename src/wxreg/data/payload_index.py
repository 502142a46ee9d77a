"""The digests of the fields in any Zarr or NetCDF file, whoever wrote it and whatever its names.

The last two dimensions of each array of numbers are taken as rows and columns.  Widened,
byte-swapped, re-chunked, renamed and cut-out copies of a field keep its digest; rows that were
turned over are found by asking for ``flipped``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.artifacts.digests import field_digest
from wxreg.data.reading import CELL_LIMIT
from wxreg.errors import IntegrityError, NotFound, UsageError

_AT_ONCE: Final = 32
_CLASSIC: Final = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_HDF5: Final = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class FieldPrint:
    """One field of a file: where it is, and its digest."""

    variable: str
    index: tuple[tuple[str, int], ...]
    """Name of each leading dimension, and the position along it."""
    digest: str | None
    """None where float32 cannot hold the values, so that no forecast of ours has them."""
    constant: bool
    """Whether all values are equal: such a field proves nothing alone."""
    fault: str | None = None
    """Why the field cannot be read; it has no digest then."""


def field_prints(path: Path, *, flipped: bool = False, threads: int = 2) -> Iterator[FieldPrint]:
    """The prints of every field of a file."""
    with open_any(path) as opened:
        yield from prints_of(opened, flipped=flipped, threads=threads)


def prints_of(
    opened: xr.Dataset, *, flipped: bool = False, threads: int = 2
) -> Iterator[FieldPrint]:
    """The prints of every field of an opened file, read in bounded memory."""
    with ThreadPoolExecutor(threads) as pool:
        places = _places(opened)
        while group := list(islice(places, _AT_ONCE)):
            yield from pool.map(lambda place: _print(opened, *place, flipped=flipped), group)


def _places(opened: xr.Dataset) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, array in opened.data_vars.items():
        if array.ndim >= 2 and array.dtype.kind in "fiu":
            for index in np.ndindex(*array.shape[:-2]):
                yield str(name), index


def _print(opened: xr.Dataset, name: str, index: tuple[int, ...], *, flipped: bool) -> FieldPrint:
    array = opened[name]
    where = tuple(zip(map(str, array.dims[:-2]), index, strict=True))
    if math.prod(array.shape[-2:]) > CELL_LIMIT:
        fault = f"it claims more than {CELL_LIMIT:,} cells: no forecast of ours is so large"
        return FieldPrint(name, where, None, constant=False, fault=fault)
    try:
        values: NDArray[Any] = array[index].values
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        return FieldPrint(name, where, None, constant=False, fault=str(error))
    field = values[::-1] if flipped else values
    constant = bool(np.isnan(values).all() or (values == values.flat[0]).all())
    try:
        return FieldPrint(name, where, field_digest(field), constant)
    except UsageError:
        return FieldPrint(name, where, None, constant)


def open_any(path: Path) -> xr.Dataset:
    """A Zarr store or NetCDF file, lazily, with times and coordinates left as they are."""
    plain: dict[str, Any] = {"decode_times": False, "decode_coords": False}
    try:
        if path.is_dir():
            store: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None, **plain)
            return store
        with path.open("rb") as stream:
            head = stream.read(8)
        if head == _HDF5:
            return xr.open_dataset(path, engine="h5netcdf", phony_dims="access", **plain)
        if head[:4] in _CLASSIC:
            return xr.open_dataset(path, engine="scipy", **plain)
    except FileNotFoundError as error:
        raise NotFound("REG-301", "nothing is there", where=str(path)) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise IntegrityError(
            "REG-536", f"this file cannot be read: {error}", where=str(path)
        ) from error
    raise UsageError(
        "REG-200",
        "this is neither Zarr nor NetCDF",
        where=str(path),
        hint="lossy repacking into other formats is out of scope",
    )
