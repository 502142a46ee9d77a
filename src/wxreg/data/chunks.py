"""Chunks along time of one array, decoded straight into the place where their values are wanted.

The arrays of our own stores (:mod:`wxreg.data.stores`) are decoded from their shards without
Zarr's copies between chunk, shard and result; whatever is laid out otherwise is read by Zarr.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import zarr
from numcodecs import blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BytesCodec, ShardingCodec

from wxreg.data.shards import ABSENT, ends_with_index, shard_index

Fields = NDArray[np.float32]
_HEADER: Final = 16
"""Bytes in which Blosc says how long a chunk is, decoded (from 4 on) and as it is (from 12 on)."""


class Chunks(Protocol):
    """The chunks of one array, one for each time."""

    def read(self, time: int, out: Fields) -> None:
        """Decode the chunk of a time into ``out``; NaN where there is none."""
        ...


def chunks_of(store: Path, array: zarr.Array[Any]) -> Chunks:
    """The chunks of an array that has a time axis, read in the fastest way that its layout has."""
    if _is_ours(array):
        return _Sharded(store / array.path, array)
    return _Any(array)


class _Any:
    """Chunks of any layout."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array

    def read(self, time: int, out: Fields) -> None:
        out[...] = self._array[time]


class _Sharded:
    """Chunks of Blosc in shards of whole fields, each of which ends with its index."""

    def __init__(self, folder: Path, array: zarr.Array[Any]) -> None:
        assert array.shards is not None
        self._chunks = folder / "c"
        self._rest = ["0"] * (array.ndim - 1)
        self._long = array.shards[0]
        self._indexes: dict[int, NDArray[Any]] = {}

    def read(self, time: int, out: Fields) -> None:
        shard, place = divmod(time, self._long)
        try:
            stream = os.open(self._chunks.joinpath(str(shard), *self._rest), os.O_RDONLY)
        except FileNotFoundError:
            out[...] = np.nan
            return
        try:
            packed = self._packed(stream, shard, place)
        finally:
            os.close(stream)
        if packed is None:
            out[...] = np.nan
        else:
            _decode(packed, out)

    def _packed(self, stream: int, shard: int, place: int) -> bytes | None:
        """The bytes of one chunk; None where the index has none."""
        index = self._indexes.get(shard)
        if index is None:
            index = self._indexes[shard] = shard_index(stream, self._long)
        offset, length = map(int, index[place])
        if offset == ABSENT:
            return None
        packed = os.pread(stream, length, offset)
        if len(packed) != length:
            raise OSError(f"the shard ends before the {length} bytes of a chunk at {offset}")
        return packed


def _decode(packed: bytes, out: Fields) -> None:
    """Decode one chunk, whose header is believed only as far as it agrees with both lengths."""
    header = np.frombuffer(packed[:_HEADER], "<u4") if len(packed) >= _HEADER else np.zeros(4)
    if (int(header[1]), int(header[3])) != (out.nbytes, len(packed)):
        raise OSError("a chunk is not as long as its header says")
    blosc.decompress(packed, out)


def _is_ours(array: zarr.Array[Any]) -> bool:
    """Whether an array is laid out as :func:`wxreg.data.stores.create_store` does it."""
    codecs = getattr(array.metadata, "codecs", ())
    if not codecs or not isinstance(codecs[0], ShardingCodec) or not ends_with_index(array):
        return False
    inner = codecs[0].codecs
    return (
        array.dtype == np.dtype("<f4")
        and array.chunks == (1, *array.shape[1:])
        and array.shards is not None
        and array.shards[1:] == array.shape[1:]
        and [type(one) for one in inner] == [BytesCodec, BloscCodec]
        and inner[0] == BytesCodec(endian="little")
    )
