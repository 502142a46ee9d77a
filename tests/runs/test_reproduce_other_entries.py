"""Every other entry that is trained or fitted gives the same bits when it is run again."""

from __future__ import annotations

import pytest
from entry_worlds import CHECKOUT, EntryWorld, check_entry, trainable

from wxreg.library.loading import Library

OTHERS = [name for name in Library(CHECKOUT).ids("dataset") if name != "hrrr"]
ENTRIES = trainable(*OTHERS)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> EntryWorld:
    return EntryWorld.make(tmp_path_factory.mktemp("others") / "world")


@pytest.mark.parametrize("name", ENTRIES)
def test_twenty_steps_twice_are_identical(entries: EntryWorld, name: str) -> None:
    check_entry(entries, name)


def test_no_entry_is_left_out() -> None:
    library = Library(CHECKOUT)
    kinds = {name: library.model(name, "mini").training.kind for name in library.ids("model")}
    trained = {name for name, kind in kinds.items() if kind != "none"}
    assert trained == {*ENTRIES, *trainable("hrrr")} and len(trained) > 30
