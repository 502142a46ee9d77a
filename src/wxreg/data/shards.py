"""The index that each shard ends with: where its chunks lie, and whether it was cut short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numcodecs import CRC32C
from numpy.typing import NDArray

ABSENT: Final = np.iinfo(np.uint64).max
"""The offset of a chunk that is not there."""
_ENTRY: Final = np.dtype([("offset", "<u8"), ("length", "<u8")])
_CHECKSUM: Final = 4


def damaged_shards(store: Path) -> Iterator[Path]:
    """The shards of every array whose index is not there whole, or leads beyond their end."""
    for _, array in sorted(zarr.open_group(store, mode="r").arrays()):
        if array.shards is None or not ends_with_index(array):
            continue
        chunks = prod(s // c for s, c in zip(array.shards, array.chunks, strict=True))
        for place in sorted((store / array.path / "c").rglob("*")):
            if place.is_file() and not _is_whole(place, chunks):
                yield place


def ends_with_index(array: zarr.Array[Any]) -> bool:
    """Whether its shards are laid out as Zarr does by default: the index last, with a checksum."""
    told = array.metadata.to_dict()["codecs"]
    assert isinstance(told, tuple | list)
    settings: Any = told[0]["configuration"]
    codecs = [one["name"] for one in settings["index_codecs"]]
    return settings["index_location"] == "end" and codecs == ["bytes", "crc32c"]


def shard_index(stream: int, chunks: int) -> NDArray[Any]:
    """``offset`` and ``length`` of each chunk of an open shard; raises where it is damaged."""
    size, length = os.fstat(stream).st_size, chunks * _ENTRY.itemsize + _CHECKSUM
    if size < length:
        raise OSError(f"the shard of {size} bytes is shorter than its index")
    try:
        checked = CRC32C(location="end").decode(os.pread(stream, length, size - length))
    except RuntimeError as error:
        raise OSError("the shard does not end with its index") from error
    entries = np.frombuffer(checked, _ENTRY)
    held, room = entries[entries["offset"] != ABSENT], np.uint64(size - length)
    inside = (held["length"] <= room) & (held["offset"] <= room - np.minimum(held["length"], room))
    if not inside.all():
        raise OSError("the index of the shard leads beyond its end")
    return entries


def _is_whole(shard: Path, chunks: int) -> bool:
    stream = os.open(shard, os.O_RDONLY)
    try:
        shard_index(stream, chunks)
    except OSError:
        return False
    finally:
        os.close(stream)
    return True
