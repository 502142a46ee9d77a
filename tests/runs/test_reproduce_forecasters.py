"""Every entry on HRRR that is trained or fitted gives the same bits when it is run again."""

from __future__ import annotations

import pytest
from entry_worlds import EntryWorld, check_entry, trainable

ENTRIES = trainable("hrrr")


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> EntryWorld:
    return EntryWorld.make(tmp_path_factory.mktemp("forecasters") / "world")


@pytest.mark.parametrize("name", ENTRIES)
def test_twenty_steps_twice_are_identical(entries: EntryWorld, name: str) -> None:
    check_entry(entries, name)
