"""Shards that were cut short are found without decoding them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from wxreg.data.shards import damaged_shards


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two shards of four chunks; the last chunk of the second one is all missing."""
    group = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=3)
    array = group.create_array("t2m", shape=(8, 16, 16), dtype="f4", chunks=(1, 16, 16),
                               shards=(4, 16, 16), fill_value=np.nan)  # fmt: skip
    values = np.random.default_rng(0).normal(size=(8, 16, 16)).astype("f4")
    values[7] = np.nan
    array[:] = values
    group.create_array("lat", data=np.arange(16.0))
    return tmp_path / "s.zarr"


def shards(store: Path) -> list[Path]:
    return sorted(place for place in (store / "t2m" / "c").rglob("*") if place.is_file())


def test_a_whole_store_has_none(store: Path) -> None:
    assert len(shards(store)) == 2
    assert list(damaged_shards(store)) == []


@pytest.mark.parametrize("left", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_shard_is_found_wherever_it_was_cut(store: Path, left: float) -> None:
    whole = shards(store)[1].read_bytes()
    shards(store)[1].write_bytes(whole[: int(len(whole) * left)])
    assert list(damaged_shards(store)) == [shards(store)[1]]


@pytest.mark.parametrize("lost", [1, 4, 16, 20, 64])
def test_a_few_lost_bytes_are_enough(store: Path, lost: int) -> None:
    for place in shards(store):
        place.write_bytes(place.read_bytes()[:-lost])
    assert list(damaged_shards(store)) == shards(store)
