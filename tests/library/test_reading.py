"""YAML is hostile until parsed: plain values or one clear error, never a traceback."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxreg.errors import NotFound, RegError, UsageError
from wxreg.library.reading import LARGEST_FILE, line_of, merge, parse, read_values

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abcxyz -é", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcdef_", min_size=1, max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
).filter(lambda value: value is not None)


@given(plain)
def test_what_yaml_writes_is_read_back(value: object) -> None:
    assert parse(yaml.safe_dump(value, allow_unicode=True).encode(), "here") == value


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(raw: bytes) -> None:
    with suppress(RegError):
        parse(raw, "here")


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\na: 2\n", 2, "stands twice"),
        ("a: 1\nb:\n\t- 1\n", 3, "not YAML"),
        ("a: &x 1\nb: *x\n", 1, "anchors"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "more than one document"),
        ("a: [1, 2\n", 2, "not YAML"),
        ("a: 1e999\n", 1, "too large"),
    ],
)
def test_tricks_are_refused_with_their_line(text: str, line: int, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text.encode(), "file.yaml")
    assert word in str(caught.value)
    assert caught.value.where == f"file.yaml:{line}"


def test_a_bomb_of_anchors_does_not_go_off() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(50))
    with pytest.raises(UsageError):
        parse(bomb.encode(), "here")


def test_an_abyss_is_refused() -> None:
    with pytest.raises(UsageError):
        parse(b"[" * 100_000, "here")


def test_booleans_and_dates_are_what_json_says() -> None:
    values = parse(b"no: no\nyes: yes\ndate: 2023-06-01\nnumber: 1e-3\nflag: true\n", "here")
    assert values == {"no": "no", "yes": "yes", "date": "2023-06-01", "number": 1e-3, "flag": True}


def test_files_that_are_no_descriptions(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: caf\xe9\n")
    (tmp_path / "empty.yaml").write_bytes(b"")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    for name in ("latin", "empty", "folder", "loop", "huge"):
        with pytest.raises(UsageError) as caught:
            read_values(tmp_path / f"{name}.yaml")
        assert f"{name}.yaml" in str(caught.value.where)
    with pytest.raises(NotFound):
        read_values(tmp_path / "absent.yaml")


def test_the_cache_gives_what_the_file_gives(tmp_path: Path) -> None:
    file, cache = tmp_path / "a.yaml", tmp_path / "cache"
    file.write_text("a: [1, 2.5, x]\n")
    first = read_values(file, cache)
    (kept,) = cache.iterdir()
    assert read_values(file, cache) == first == {"a": [1, 2.5, "x"]}
    kept.write_text("torn")
    assert read_values(file, cache) == first


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\n")
    tmp_path.chmod(0o500)
    assert read_values(file, tmp_path / "cache") == {"a": 1}


def test_lines_of_nested_values() -> None:
    raw = b"a:\n  b:\n    - x\n    - y: 1\nc: 2\n"
    assert line_of(raw, ("a", "b", 1, "y")) == 4
    assert line_of(raw, ("c",)) == 5
    assert line_of(raw, ("a", "nothing")) == 1


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers()),
    st.dictionaries(st.sampled_from("abc"), st.integers()),
)
def test_what_is_laid_on_wins(lower: dict[str, int], upper: dict[str, int]) -> None:
    merged = merge({"x": lower}, {"x": upper})
    assert merged["x"] == {**lower, **upper}
