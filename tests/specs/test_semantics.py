from __future__ import annotations

import pytest

from wxreg.specs.architecture import ARCHITECTURES, LOSSES, READERS, Table

NAMES = [(table, name) for table in (READERS, ARCHITECTURES, LOSSES) for name in table.own]


@pytest.mark.parametrize(("table", "name"), NAMES, ids=[f"{t.kind}-{n}" for t, n in NAMES])
def test_a_plan_records_what_the_class_declares(table: Table, name: str) -> None:
    named = table.find(name)
    assert named.load().semantics == named.semantics
