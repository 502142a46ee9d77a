from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wxreg.artifacts.digests import (
    field_digest,
    file_digest,
    merkle_root,
    prefix64,
    tree_digest,
)
from wxreg.artifacts.stat_manifest import is_unchanged, remember_whole
from wxreg.errors import UsageError

FIELDS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))


def by_hand(values: list[list[float]]) -> str:
    """DESIGN §5, written out with struct alone."""
    body = b"".join(struct.pack("<f", value) for row in values for value in row)
    return hashlib.sha256(
        b"wxreg-field-1\0" + struct.pack("<II", len(values), len(values[0])) + body
    ).hexdigest()


def test_a_field_digest_is_what_the_design_says() -> None:
    values = [[1.5, 0.0, -2.25], [1e30, 3.0, 280.15]]
    assert field_digest(np.array(values, "f4")) == by_hand(values)


def test_golden_field_digests_hold_for_ever() -> None:
    assert (
        field_digest(np.zeros((2, 3), "f4"))
        == "1d22ab1acc3bf0c0f5026d014aee62974888179e8bae9e35d7f10553b5a08a05"
    )
    assert (
        field_digest(np.full((1, 1), np.nan, "f4"))
        == "7d8fb4399abc5bfd825515e68e94992aef6378453e99dc3b20ecd9af67a63f86"
    )


def test_there_is_one_zero_and_one_nan() -> None:
    assert field_digest(np.array([[-0.0]], "f4")) == field_digest(np.array([[0.0]], "f4"))
    strange = np.array([[0xFFC12345, 0x7F800001]], "<u4").view("<f4")
    plain = np.array([[np.nan, np.nan]], "f4")
    assert field_digest(strange) == field_digest(plain)
    nan = struct.pack("<I", 0x7FC00000) * 2
    shape = struct.pack("<II", 1, 2)
    expected = hashlib.sha256(b"wxreg-field-1\0" + shape + nan).hexdigest()
    assert field_digest(plain) == expected


@given(FIELDS)
def test_a_copy_in_another_type_or_order_has_the_same_digest(field: np.ndarray) -> None:
    first = field_digest(field)
    assert field_digest(field.astype("f8")) == first
    assert field_digest(field.astype(">f4")) == first
    assert field_digest(field.astype(">f8")) == first
    assert field_digest(np.asfortranarray(field)) == first
    assert field_digest(np.flipud(np.flipud(field))) == first


@given(FIELDS, st.data())
def test_a_single_flipped_bit_changes_the_digest(field: np.ndarray, data: st.DataObject) -> None:
    bits = field.copy().view("<u4")
    at = data.draw(st.integers(0, bits.size - 1))
    bits.reshape(-1)[at] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
    changed = bits.view("<f4")
    same = np.array_equal(changed, field, equal_nan=True)
    assert (field_digest(changed) == field_digest(field)) == same


def test_the_shape_and_the_order_of_rows_count() -> None:
    values = np.arange(6, dtype="f4")
    assert field_digest(values.reshape(2, 3)) != field_digest(values.reshape(3, 2))
    assert field_digest(values.reshape(2, 3)) != field_digest(values.reshape(2, 3)[::-1])


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0.1]], "f8"),
        np.array([[1e300]], "f8"),
        np.array([[2**24 + 1]], "i4"),
        np.array([[2**63 - 1]], "i8"),
        np.array([[1j]]),
        np.array([["x"]]),
        np.array([[True]]),
        np.zeros(3, "f4"),
        np.zeros((1, 2, 3), "f4"),
    ],
)
def test_what_float32_cannot_hold_is_refused(values: np.ndarray) -> None:
    with pytest.raises(UsageError):
        field_digest(values)


def test_integers_and_half_floats_that_fit_are_taken() -> None:
    expected = field_digest(np.array([[3.0, 7.0]], "f4"))
    for dtype in ("i2", "u1", "i8", "f2"):
        assert field_digest(np.array([[3, 7]], dtype)) == expected


DIGESTS = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=12)


@given(DIGESTS, st.randoms())
def test_a_merkle_root_ignores_order_and_sees_every_leaf(leaves: list[str], chosen) -> None:
    root = merkle_root(leaves)
    shuffled = list(leaves)
    chosen.shuffle(shuffled)
    assert merkle_root(shuffled) == root
    assert merkle_root([*leaves, "00" * 32]) != root
    if leaves:
        assert merkle_root(leaves[1:]) != root


def test_a_merkle_root_of_two_is_the_hash_of_both() -> None:
    a, b = "11" * 32, "22" * 32
    left, right = (hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in (a, b))
    assert merkle_root([b, a]) == hashlib.sha256(b"\1" + left + right).hexdigest()


def test_a_prefix_is_the_leading_64_bits() -> None:
    assert prefix64("ffffffffffffffff" + "0" * 48) == 2**64 - 1
    assert prefix64("00000000000000ff" + "a" * 48) == 255


def test_a_tree_digest_sees_names_bytes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t" / "b").mkdir(parents=True)
    (tmp_path / "t" / "b" / "2").write_bytes(b"two")
    (tmp_path / "t" / "1").write_bytes(b"one")
    tree = tree_digest(tmp_path / "t")
    assert tree.digest == "98667c79e04105ba0e246e1b5e38f584254d2098b1ce16ba64eab1a5c521dc26"
    assert [(file.path, file.bytes) for file in tree.files] == [("1", 3), ("b/2", 3)]
    assert tree.bytes == 6
    assert file_digest(tmp_path / "t" / "1") == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "t" / "1").touch()
    assert tree_digest(tmp_path / "t") == tree
    (tmp_path / "t" / "1").rename(tmp_path / "t" / "0")
    assert tree_digest(tmp_path / "t").digest != tree.digest


def test_links_that_leave_the_tree_are_refused(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    (tree / "deep").mkdir(parents=True)
    (tree / "file").write_bytes(b"x")
    (tree / "inside").symlink_to("file")
    assert [file.path for file in tree_digest(tree).files] == ["file", "inside"]
    (tmp_path / "secret").write_bytes(b"y")
    for target in (tmp_path / "secret", Path("deep"), Path("loop"), Path("nothing")):
        (tree / "loop").symlink_to(target)
        with pytest.raises(UsageError, match="link"):
            tree_digest(tree)
        (tree / "loop").unlink()


def test_a_stat_manifest_notices_every_touch(tmp_path: Path) -> None:
    folder, manifest = tmp_path / "t", tmp_path / "cache" / "t.json"
    folder.mkdir()
    (folder / "f").write_bytes(b"x")
    assert not is_unchanged(folder, manifest, "ab")
    remember_whole(folder, manifest, "ab")
    assert is_unchanged(folder, manifest, "ab")
    assert not is_unchanged(folder, manifest, "cd")
    (folder / "f").write_bytes(b"y")
    assert not is_unchanged(folder, manifest, "ab")
    remember_whole(folder, manifest, "ab")
    (folder / "g").write_bytes(b"")
    assert not is_unchanged(folder, manifest, "ab")
    manifest.write_text("{")
    assert not is_unchanged(folder, manifest, "ab")


def test_a_change_whose_time_was_set_back_is_noticed(tmp_path: Path) -> None:
    import os

    file = tmp_path / "t" / "f"
    file.parent.mkdir()
    file.write_bytes(b"x")
    before = file.stat()
    remember_whole(file.parent, tmp_path / "m", "ab")
    file.write_bytes(b"y")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_unchanged(file.parent, tmp_path / "m", "ab")
