"""Shards that were cut short, found by the index that each of them ends with, without decoding."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

_ENTRY: Final = np.dtype([("offset", "<u8"), ("length", "<u8")])
_CHECKSUM: Final = 4
_ABSENT: Final = np.iinfo(np.uint64).max


def damaged_shards(store: Path) -> Iterator[Path]:
    """The shards of every array whose index is not there whole, or leads beyond their end."""
    for _, array in sorted(zarr.open_group(store, mode="r").arrays()):
        if array.shards is None or not _ends_with_index(array):
            continue
        chunks = prod(s // c for s, c in zip(array.shards, array.chunks, strict=True))
        for place in sorted((store / array.path / "c").rglob("*")):
            if place.is_file() and not _is_whole(place, chunks):
                yield place


def _ends_with_index(array: zarr.Array[Any]) -> bool:
    """Whether its shards are laid out as Zarr does by default: the index last, with a checksum."""
    told = array.metadata.to_dict()["codecs"]
    assert isinstance(told, tuple | list)
    settings: Any = told[0]["configuration"]
    codecs = [one["name"] for one in settings["index_codecs"]]
    return settings["index_location"] == "end" and codecs == ["bytes", "crc32c"]


def _is_whole(shard: Path, chunks: int) -> bool:
    size = shard.stat().st_size
    length = chunks * _ENTRY.itemsize + _CHECKSUM
    if size < length:
        return False
    with shard.open("rb") as stream:
        stream.seek(-length, os.SEEK_END)
        entries = np.frombuffer(stream.read(length - _CHECKSUM), _ENTRY)
    held = entries[entries["offset"] != _ABSENT]
    room = np.uint64(size - length)
    inside = (held["length"] <= room) & (held["offset"] <= room - np.minimum(held["length"], room))
    return bool(inside.all())
