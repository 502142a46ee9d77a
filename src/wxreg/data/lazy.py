"""Dask arrays with one chunk per time, read by a function of the time's position."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import uuid4

import dask.array as da
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
FieldReader = Callable[[int], Field]

_UNSEEN: Final = np.empty(0, np.float32)


def field_stack(read: FieldReader, count: int, shape: tuple[int, ...]) -> da.Array:
    """``(count, *shape)`` whose chunk ``i`` is ``read(i)``; ``read`` must pickle."""
    chunks = ((1,) * count, *((size,) for size in shape))
    return _blocks(_read_block, read, chunks)


def _read_block(read: FieldReader, block_id: tuple[int, ...] = ()) -> Field:
    return read(block_id[0])[np.newaxis]


def static_field(read: Callable[[], Field], shape: tuple[int, ...]) -> da.Array:
    """``shape`` as one chunk, read once when computed."""
    chunks = tuple((size,) for size in shape)
    return _blocks(_read_static, read, chunks)


def _blocks(block: Callable[..., Field], read: Callable[..., Field], chunks: object) -> da.Array:
    opaque = partial(read)  # dask would walk through a dataclass looking for its own arrays
    made: da.Array = da.map_blocks(  # type: ignore[no-untyped-call]
        block, opaque, chunks=chunks, dtype=np.float32, meta=_UNSEEN, token=uuid4().hex
    )
    return made


def _read_static(read: Callable[[], Field]) -> Field:
    return read()
