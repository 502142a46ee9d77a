"""Chunks of our own stores are decoded straight from their shards, to what Zarr reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from wxreg.data.chunks import chunks_of
from wxreg.data.shards import shard_index
from wxreg.data.stores import StoredVariable, create_store

TIMES = 7


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A field and a levelled field in shards of three times, some cells and one field missing."""
    monkeypatch.setattr("wxreg.data.stores.SHARD_BYTES", 3 * 4 * 40)
    path = tmp_path / "s.zarr"
    variables = (
        StoredVariable("t2m", ("time", "y", "x"), (TIMES, 5, 8), {}),
        StoredVariable("t", ("time", "level", "y", "x"), (TIMES, 2, 5, 8), {}),
    )
    group = create_store(path, variables, {}, {})
    draw = np.random.default_rng(0)
    for variable in variables:
        values = draw.normal(size=variable.shape).astype("f4")
        values[draw.random(values.shape) < 0.1] = np.nan
        values[4] = np.nan
        group[variable.name][...] = values
    return path


def read(path: Path, name: str, time: int) -> np.ndarray:
    array = zarr.open_group(path, mode="r")[name]
    assert isinstance(array, zarr.Array)
    out = np.empty(array.shape[1:], np.float32)
    chunks_of(path, array).read(time, out)
    return out


def shard(path: Path) -> Path:
    return path / "t2m" / "c" / "1" / "0" / "0"


@pytest.mark.parametrize("name", ["t2m", "t"])
def test_every_chunk_is_what_zarr_reads(store: Path, name: str) -> None:
    array = zarr.open_group(store, mode="r")[name]
    assert type(chunks_of(store, array)).__name__ == "_Sharded"
    assert array.shards[0] < TIMES
    for time in range(TIMES):
        np.testing.assert_array_equal(read(store, name, time), array[time])


@pytest.mark.parametrize("shards", [None, (6, 5, 8)])
def test_other_layouts_are_read_by_zarr(tmp_path: Path, shards: tuple[int, ...] | None) -> None:
    group = zarr.create_group(tmp_path / "o.zarr", zarr_format=3)
    values = np.arange(6 * 40, dtype="f4").reshape(6, 5, 8)
    array = group.create_array("t2m", shape=values.shape, dtype="f4", chunks=(2, 5, 8),
                               shards=shards)  # fmt: skip
    array[...] = values
    np.testing.assert_array_equal(read(tmp_path / "o.zarr", "t2m", 3), values[3])


def test_a_chunk_or_a_shard_that_is_not_there_is_missing(store: Path) -> None:
    shard(store).unlink()
    assert np.isnan(read(store, "t2m", 3)).all()


@pytest.mark.parametrize("keep", [0, 3, 30, -1])
def test_a_shard_that_was_cut_short_is_damaged(store: Path, keep: int) -> None:
    shard(store).write_bytes(shard(store).read_bytes()[:keep])
    with pytest.raises(OSError, match="index"):
        read(store, "t2m", 3)


def test_a_flipped_bit_of_the_index_is_found(store: Path) -> None:
    bits = bytearray(shard(store).read_bytes())
    bits[-10] ^= 1
    shard(store).write_bytes(bits)
    with pytest.raises(OSError, match="does not end with its index"):
        read(store, "t2m", 3)


@pytest.mark.parametrize("at", [4, 12])
@pytest.mark.parametrize("claimed", [0, 1, 1 << 31])
def test_a_header_is_not_believed(store: Path, at: int, claimed: int) -> None:
    """Blosc would read or write as far as the header of a chunk says."""
    with shard(store).open("r+b") as stream:
        first = int(shard_index(stream.fileno(), 3)[0]["offset"])
        stream.seek(first + at)
        stream.write(claimed.to_bytes(4, "little"))
    with pytest.raises(OSError, match="header"):
        read(store, "t2m", 3)


def test_flipped_bits_of_a_chunk_change_values_or_raise_but_nothing_else(store: Path) -> None:
    whole = shard(store).read_bytes()
    good = read(store, "t2m", 3)
    draw = np.random.default_rng(1)
    for place in draw.integers(0, 100, 60):
        bits = bytearray(whole)
        bits[place] ^= 1 << int(draw.integers(8))
        shard(store).write_bytes(bits)
        try:
            found = read(store, "t2m", 3)
        except (OSError, RuntimeError):
            continue
        assert found.shape == good.shape
