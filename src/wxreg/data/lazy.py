"""Dask arrays with one chunk per time, read by a function of the time's position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import dask.array as da
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
FieldReader = Callable[[int], Field]

_UNSEEN: Final = np.empty(0, np.float32)


def field_stack(read: FieldReader, count: int, shape: tuple[int, ...]) -> da.Array:
    """``(count, *shape)`` whose chunk ``i`` is ``read(i)``; ``read`` must pickle."""
    chunks = ((1,) * count, *((size,) for size in shape))
    return da.map_blocks(
        _read_block, read, chunks=chunks, dtype=np.float32, meta=_UNSEEN, name=None
    )


def _read_block(read: FieldReader, block_info: Any = None) -> Field:
    index = block_info[None]["chunk-location"][0]
    return read(index)[np.newaxis]


def static_field(read: Callable[[], Field], shape: tuple[int, ...]) -> da.Array:
    """``shape`` as one chunk, read once when computed."""
    chunks = tuple((size,) for size in shape)
    return da.map_blocks(_read_static, read, chunks=chunks, dtype=np.float32, meta=_UNSEEN)


def _read_static(read: Callable[[], Field]) -> Field:
    return read()
