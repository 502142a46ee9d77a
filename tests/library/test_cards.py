"""Every entry of the registry has a person's words, and a card may continue another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from wxreg.errors import Incompatible, UsageError
from wxreg.library.checks import check
from wxreg.library.loading import Library

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("model", Library(ROOT).ids("model"))
def test_every_model_has_words_about_its_use_and_limits(model: str) -> None:
    card = Library(ROOT).card(model)
    assert card.model == model
    assert card.intended and card.unsuited and card.limits and card.ethics


@pytest.mark.parametrize("model", Library(ROOT).ids("model"))
def test_what_a_source_document_got_wrong_is_on_the_card(model: str) -> None:
    library = Library(ROOT)
    origin = library.model(model).origin or ""
    if origin.startswith("seed"):
        assert library.card(model).corrections


def write(folder: Path, model: str, text: str) -> None:
    file = folder / "cards" / f"{model}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"spec: 1\nmodel: {model}\n{text}")


WHOLE = "intended: one\nunsuited: two\nlimits: [three]\nethics: four\n"


def test_a_card_says_what_its_base_says_where_it_is_silent(tmp_path: Path) -> None:
    write(tmp_path, "lower", WHOLE + "corrections: [{claim: a, built: b}]\ntags: [x]\n")
    write(tmp_path, "upper", "base: lower\nlimits: [five, six]\n")
    card = Library(tmp_path).card("upper")
    assert (card.model, card.intended, card.limits) == ("upper", "one", ("five", "six"))
    assert card.corrections[0].claim == "a"
    files = Library(tmp_path).card_files("upper")
    assert [file.stem for file in files] == ["lower", "upper"]


def test_a_card_that_goes_round_in_a_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", "base: b\n")
    write(tmp_path, "b", "base: a\n")
    with pytest.raises(Incompatible, match="circle"):
        Library(tmp_path).card("a")


def test_a_card_of_another_model_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", WHOLE)
    (tmp_path / "cards" / "a.yaml").rename(tmp_path / "cards" / "b.yaml")
    with pytest.raises(UsageError, match="the model is 'a' but the file is called 'b'"):
        Library(tmp_path).card("b")


def test_the_cards_of_this_repository_have_no_findings() -> None:
    found = [finding for finding in check(Library(ROOT)) if "cards" in finding.where]
    assert found == []
