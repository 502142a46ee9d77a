"""Canonical JSON: one text for one value, and digests that hold for ever."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxreg.canonical import canonical_json, digest

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), scalars, min_size=2))
def test_the_order_of_keys_never_matters(mapping: dict[str, object]) -> None:
    backwards = dict(reversed(list(mapping.items())))
    assert digest("thing", mapping) == digest("thing", backwards)


@given(values)
def test_canonical_text_is_json_and_stays_itself(value: object) -> None:
    def number(digits: str) -> float:
        return int(digits) if abs(int(digits)) <= 2**53 else float(digits)

    text = canonical_json(value)
    assert canonical_json(json.loads(text, parse_int=number)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, b"1"),
        (1e21, b"1e+21"),
        (1e-7, b"1e-7"),
        (0.1, b"0.1"),
        (2**53, b"9007199254740992"),
        (2**53 + 1, b'"9007199254740993"'),
        (-0.0, b"0"),
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ("é\n", b'"\xc3\xa9\\n"'),
    ],
)
def test_numbers_and_text_are_written_as_rfc_8785_says(value: object, text: bytes) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, b"x", object()])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)


def test_golden_digest() -> None:
    assert (
        digest("golden", {"a": 1, "b": [0.5, "x"], "c": None})
        == "e2a112b0e975c7b2341db5431f3a72b56b8bce9a7514586002e4a108c30e3d1b"
    )


def test_kind_and_format_are_part_of_the_identity() -> None:
    assert len({digest("a", 1), digest("b", 1), digest("a", 1, format=2)}) == 3
