"""Zarr v2 stores as the public archives have them, packed small.

Values are float32 to a reader; in the chunk they are whole multiples of a step, as
differences along the row, compressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import Blosc, Delta, FixedScaleOffset
from numpy.typing import NDArray

Array = NDArray[Any]


def create_store(path: Path, attributes: Mapping[str, Any]) -> zarr.Group:
    """Make an empty store."""
    return zarr.open_group(str(path), mode="w", zarr_format=2, attributes=dict(attributes))


def add_packed(
    group: zarr.Group,
    name: str,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    packing: tuple[float, float],
    attributes: Mapping[str, Any],
    chunk: int = 24,
) -> zarr.Array[Any]:
    """Add a float32 array, empty as yet, packed as (step, offset), `chunk` times a chunk."""
    step, offset = packing
    filters = [
        FixedScaleOffset(offset=offset, scale=1.0 / step, dtype="<f4", astype="<i2"),
        Delta(dtype="<i2"),
    ]
    return group.create_array(
        name,
        shape=shape,
        dtype="float32",
        chunks=(min(chunk, shape[0]), *shape[1:]),
        filters=filters,
        compressors=Blosc(cname="zstd", clevel=9, shuffle=Blosc.BITSHUFFLE),
        fill_value=float("nan"),
        attributes={"_ARRAY_DIMENSIONS": list(dims), **attributes},
    )


def add_plain(
    group: zarr.Group,
    name: str,
    dims: tuple[str, ...],
    values: Array,
    attributes: Mapping[str, Any],
) -> None:
    """Add a whole array without packing, in one chunk."""
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape,
        compressors=Blosc(cname="zstd", clevel=9, shuffle=Blosc.BITSHUFFLE),
        fill_value=None,
        attributes={"_ARRAY_DIMENSIONS": list(dims), **attributes},
    )
    array[...] = values


def finish_store(path: Path) -> None:
    """Write the consolidated metadata."""
    zarr.consolidate_metadata(str(path), zarr_format=2)


def quantised(values: NDArray[np.float64], packing: tuple[float, float]) -> NDArray[np.float32]:
    """Return the values as packing stores them."""
    step, offset = packing
    return (np.round((values - offset) / step) * step + offset).astype(np.float32)
