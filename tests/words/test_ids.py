from __future__ import annotations

import pytest

from wxreg.cli.list import KINDS
from wxreg.errors import NotFound
from wxreg.ids import LISTED, not_found
from wxreg.specs.architecture import LOSSES


@pytest.mark.parametrize("kind", sorted(LISTED))
def test_a_hint_names_a_list_that_the_command_has(kind: str) -> None:
    hint = not_found(kind, "unlike", ["x" * 9]).hint
    assert hint == f"`reg list {kind}s` shows them all"
    assert f"{kind}s" in KINDS


def test_a_name_of_a_kind_without_a_list_is_told_the_known_ones() -> None:
    with pytest.raises(NotFound) as told:
        LOSSES.find("0000")
    assert "losss" not in str(told.value.hint)
    assert "physical-mse" in str(told.value.hint)
