from __future__ import annotations

import json
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open

from wxreg.artifacts.checkpoint_file import (
    HEADER_LIMIT,
    RawTensor,
    read_checkpoint,
    weights_digest,
    write_checkpoint,
)
from wxreg.artifacts.digests import file_digest
from wxreg.errors import IntegrityError, NotFound, UsageError

METADATA = {"plan": "ab" * 32, "licence": "CC-BY-4.0", "name": "öffnen", "rate": 0.001}
WEIGHTS = {
    "a.bias": RawTensor.of(np.arange(3, dtype="f4")),
    "b.weight": RawTensor("BF16", (2, 2), np.array([1, 2, 3, 4], "<u2").tobytes()),
    "c.count": RawTensor.of(np.array(7, "i8")),
    "d.flag": RawTensor.of(np.array([True, False, True])),
    "stats.t2m": RawTensor.of(np.zeros((0, 4), "f8")),
}
TYPES = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"])
ARRAYS = TYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0)))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.safetensors"
    write_checkpoint(path, WEIGHTS, METADATA)
    return path


def test_a_checkpoint_comes_back_as_it_went_in(whole: Path) -> None:
    found = read_checkpoint(whole)
    assert found.metadata == METADATA
    assert set(found.tensors) == set(WEIGHTS)
    for name, tensor in WEIGHTS.items():
        back = found.tensors[name]
        assert (back.dtype, back.shape, bytes(back.data)) == (
            tensor.dtype,
            tensor.shape,
            bytes(tensor.data),
        )
    assert weights_digest(found.tensors) == weights_digest(WEIGHTS)


def test_the_safetensors_library_reads_it(whole: Path) -> None:
    with safe_open(str(whole), "np") as opened:
        assert opened.metadata()["format"] == "pt"
        assert json.loads(opened.metadata()["wxreg"]) == METADATA
        assert np.array_equal(opened.get_tensor("a.bias"), np.arange(3, dtype="f4"))
        assert set(opened.keys()) == set(WEIGHTS)


def test_torch_reads_it_with_bfloat16(whole: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    found = load_file(whole)
    assert found["b.weight"].dtype == torch.bfloat16
    assert found["b.weight"].view(torch.int16).tolist() == [[1, 2], [3, 4]]
    wide = read_checkpoint(whole).tensors["b.weight"].numpy()
    assert np.array_equal(wide, found["b.weight"].float().numpy())


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1, max_size=8), ARRAYS, max_size=5))
def test_any_arrays_survive_and_equal_ones_make_equal_files(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    folder = tmp_path_factory.mktemp("w")
    tensors = {name: RawTensor.of(array) for name, array in arrays.items()}
    if "__metadata__" in tensors:
        return
    write_checkpoint(folder / "a", tensors, METADATA)
    write_checkpoint(
        folder / "b", dict(reversed(tensors.items())), dict(reversed(METADATA.items()))
    )
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    back = read_checkpoint(folder / "a").tensors
    for name, array in arrays.items():
        assert np.array_equal(back[name].numpy(), array, equal_nan=array.dtype.kind == "f")
    assert set(safetensors.numpy.load_file(folder / "a")) == set(arrays)


def test_the_header_is_exactly_what_the_design_says(whole: Path) -> None:
    content = whole.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert (8 + length) % 8 == 0
    assert list(header) == sorted(header)
    assert set(header["__metadata__"]) == {"format", "wxreg"}
    assert file_digest(whole) == "cae9df2530f8534c975f206e25365dad462b6671794b84a47d5ad44b0b07da19"
    assert (
        weights_digest(WEIGHTS)
        == "7981c2049f4a7426f4759afe9e44d925be06672bde3c75f247414e029c71c01c"
    )


def test_a_tensor_is_aligned_to_its_type(whole: Path) -> None:
    content = whole.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for name, size in (("c.count", 8), ("a.bias", 4), ("b.weight", 2)):
        assert header[name]["data_offsets"][0] % size == 0


def test_weights_digests_see_name_type_shape_and_bytes() -> None:
    first = weights_digest({"w": RawTensor("F32", (2,), bytes(8))})
    for other in (
        {"v": RawTensor("F32", (2,), bytes(8))},
        {"w": RawTensor("I32", (2,), bytes(8))},
        {"w": RawTensor("F32", (2, 1), bytes(8))},
        {"w": RawTensor("F32", (2,), bytes(7) + b"\1")},
    ):
        assert weights_digest(other) != first


def test_metadata_beyond_the_limit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"stats\.\*"):
        write_checkpoint(tmp_path / "w", WEIGHTS, {"big": "x" * HEADER_LIMIT})
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_do_not_fit_their_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shape"):
        write_checkpoint(tmp_path / "w", {"w": RawTensor("F32", (3,), bytes(8))}, {})
    with pytest.raises(UsageError, match="complex"):
        RawTensor.of(np.zeros(2, "c8"))


def refused(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=why) as error:
        read_checkpoint(path)
    assert error.value.code == "REG-523"


def test_every_truncation_is_refused(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    for length in range(len(content)):
        refused(tmp_path / "cut", content[:length], "not a whole checkpoint")
    refused(tmp_path / "cut", content + b"\0", "its header says")


def test_a_pickle_is_recognised_and_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    for protocol in (2, 3, 4, 5):
        refused(tmp_path / "p", pickle.dumps(Bomb(), protocol), "pickle")
    refused(tmp_path / "p", b"PK\x03\x04" + bytes(100), "pickle")
    assert not (tmp_path / "exploded").exists()


def packed(header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


GOOD = {"format": "pt", "wxreg": "{}"}


def tensor(dtype: Any = "U8", shape: Any = (4,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HOSTILE = {
    "a header bomb": (struct.pack("<Q", 2**63) + b"{}", "claims"),
    "a deep header": (packed(b"[" * 100_000), "parse|object"),
    "no object": (packed([1]) + bytes(4), "object"),
    "no metadata": (packed({"w": tensor()}) + bytes(4), "metadata"),
    "more metadata": (packed({"__metadata__": {**GOOD, "run": "x"}}), "metadata"),
    "loose metadata": (packed({"__metadata__": {"format": "pt", "wxreg": "{ }"}}), "canonical"),
    "metadata list": (packed({"__metadata__": {"format": "pt", "wxreg": "[]"}}), "canonical"),
    "a name twice": (packed(b'{"__metadata__":{},"__metadata__":{}}'), "twice"),
    "overlap": (
        packed({"__metadata__": GOOD, "a": tensor(), "b": tensor(offsets=(2, 6))}) + bytes(6),
        "overlaps",
    ),
    "a gap": (packed({"__metadata__": GOOD, "a": tensor(offsets=(2, 6))}) + bytes(6), "gap"),
    "beyond the end": (packed({"__metadata__": GOOD, "a": tensor()}) + bytes(3), "its header says"),
    "wrong shape": (packed({"__metadata__": GOOD, "a": tensor(shape=(5,))}) + bytes(4), "shape"),
    "vast shape": (packed({"__metadata__": GOOD, "a": tensor(shape=(2**62, 8))}), "shape"),
    "negative": (packed({"__metadata__": GOOD, "a": tensor(shape=(-1, -4))}) + bytes(4), "wrongly"),
    "backwards": (
        packed({"__metadata__": GOOD, "a": tensor(offsets=(4, 0))}) + bytes(4),
        "nowhere",
    ),
    "odd type": (packed({"__metadata__": GOOD, "a": tensor(dtype="F4")}) + bytes(4), "wrongly"),
    "type list": (packed({"__metadata__": GOOD, "a": tensor(dtype=["F4"])}) + bytes(4), "wrongly"),
    "true offsets": (packed({"__metadata__": GOOD, "a": tensor(offsets=(0, True))}), "wrongly"),
    "three offsets": (packed({"__metadata__": GOOD, "a": tensor(offsets=(0, 1, 4))}), "nowhere"),
    "text": (b"hello, this is no checkpoint at all", "claims|header"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path: Path, name: str) -> None:
    content, why = HOSTILE[name]
    refused(tmp_path / "hostile", content, why)


def test_no_damage_to_the_header_ends_in_anything_but_a_refusal(
    whole: Path, tmp_path: Path
) -> None:
    """A flip may still be valid, as in a tensor's name; it must never crash."""
    content = whole.read_bytes()
    chosen = random.Random(3)
    for _ in range(2000):
        damaged = bytearray(content)
        damaged[chosen.randrange(len(content) - 60)] ^= 1 << chosen.randrange(8)
        path = tmp_path / "damaged"
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except IntegrityError:
            continue


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_checkpoint(tmp_path / "none")
