"""A checkpoint: one ``.safetensors`` file that is sufficient alone.

We write the header ourselves, since the library writes metadata in random order: equal
weights and equal metadata give equal files.  Reading trusts nothing: a file must be exactly
what such a header says.  Large statistics are tensors named ``stats.*``.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from wxreg.artifacts.sealing import writing_file
from wxreg.canonical import canonical_json
from wxreg.errors import IntegrityError, NotFound, UsageError

HEADER_LIMIT: Final = 1_000_000
ITEM_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2}
    | {"I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
)
_NUMPY: Final = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_PICKLES: Final = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class RawTensor:
    """A tensor as it lies in the file: the name of its type, its shape, little-endian bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview

    @classmethod
    def of(cls, array: NDArray[Any]) -> RawTensor:
        """A numpy array as a raw tensor; bfloat16 has no numpy type and is made directly."""
        for name, code in _NUMPY.items():
            if array.dtype == np.dtype(code):
                whole = np.ascontiguousarray(array, dtype=code)
                return cls(name, array.shape, whole.tobytes())
        raise UsageError("REG-224", f"a {array.dtype} array cannot be kept in a checkpoint")

    def numpy(self) -> NDArray[Any]:
        """The values, read-only; bfloat16 is widened to float32."""
        if self.dtype == "BF16":
            wide = np.frombuffer(self.data, "<u2").astype("<u4") << 16
            return wide.view("<f4").reshape(self.shape)
        return np.frombuffer(self.data, _NUMPY[self.dtype]).reshape(self.shape)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, RawTensor]


def write_checkpoint(
    path: Path, tensors: Mapping[str, RawTensor], metadata: Mapping[str, Any]
) -> None:
    """Write the file aside and rename it; ``metadata`` must hold no run id, host or time."""
    names = sorted(tensors, key=lambda name: (-ITEM_BYTES[tensors[name].dtype], name))
    header = _header(names, tensors, metadata)
    with writing_file(path) as aside, aside.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)))
        stream.write(header)
        for name in names:
            stream.write(tensors[name].data)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a whole file; tensors are views of the mapped file, not copies."""
    header, data = _opened(path)
    metadata = _metadata(path, header.pop("__metadata__", None))
    return Checkpoint(metadata, _tensors(path, header, data))


def read_weights(path: Path) -> Mapping[str, RawTensor]:
    """The tensors of any safetensors file, whoever wrote it and whatever it says of itself."""
    header, data = _opened(path)
    header.pop("__metadata__", None)
    return _tensors(path, header, data)


def _opened(path: Path) -> tuple[dict[str, Any], memoryview]:
    """The header and the bytes after it."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            if size < 8:
                _refuse(path, f"it has only {size} bytes")
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError as error:
        raise NotFound("REG-301", "there is no checkpoint here", where=str(path)) from error
    header, start = _parse_header(path, content)
    return header, content[start:]


def weights_digest(tensors: Mapping[str, RawTensor]) -> str:
    """The SHA-256 of sorted names, types, shapes and bytes: equal for equal weights."""
    total = hashlib.sha256(b"wxreg-weights-1\0")
    for name in sorted(tensors):
        tensor = tensors[name]
        label = canonical_json([name, tensor.dtype, list(tensor.shape)])
        total.update(struct.pack("<QQ", len(label), len(tensor.data)))
        total.update(label)
        total.update(tensor.data)
    return total.hexdigest()


def _header(
    names: list[str], tensors: Mapping[str, RawTensor], metadata: Mapping[str, Any]
) -> bytes:
    entries: dict[str, Any] = {
        "__metadata__": {"format": "pt", "wxreg": canonical_json(metadata).decode()}
    }
    offset = 0
    for name in names:
        tensor = tensors[name]
        if len(tensor.data) != math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]:
            raise UsageError("REG-224", f"tensor {name!r} has not the bytes of its shape")
        end = offset + len(tensor.data)
        entries[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    padded = text + b" " * (-len(text) % 8)
    if len(padded) > HEADER_LIMIT:
        hint = "store large statistics as tensors named stats.*"
        what = f"the header would have {len(padded)} bytes; {HEADER_LIMIT} are allowed"
        raise UsageError("REG-224", what, hint=hint)
    return padded


def _parse_header(path: Path, content: memoryview) -> tuple[dict[str, Any], int]:
    if bytes(content[:4]).startswith(_PICKLES):
        _refuse(path, "it is a pickle, which could run any program when opened")
    (length,) = struct.unpack("<Q", content[:8])
    if length > HEADER_LIMIT:
        _refuse(path, f"its header claims {length} bytes; {HEADER_LIMIT} are allowed")
    if 8 + length > len(content):
        _refuse(path, "it ends inside its header")
    try:
        header = json.loads(bytes(content[8 : 8 + length]), object_pairs_hook=_no_twice)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its header does not parse: {error}")
    if not isinstance(header, dict):
        _refuse(path, "its header is not an object")
    return header, 8 + length


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _metadata(path: Path, found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict) or set(found) != {"format", "wxreg"} or found["format"] != "pt":
        _refuse(path, "it has not the metadata of a wxreg checkpoint")
    try:
        metadata = json.loads(found["wxreg"])
        whole = canonical_json(metadata).decode() == found["wxreg"]
    except (ValueError, TypeError, RecursionError) as error:
        _refuse(path, f"its metadata does not parse: {error}")
    if not whole or not isinstance(metadata, dict):
        _refuse(path, "its metadata is not canonical JSON")
    return metadata


def _tensors(path: Path, header: Mapping[str, Any], data: memoryview) -> Mapping[str, RawTensor]:
    tensors: dict[str, RawTensor] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        dtype, shape, (begin, end) = _entry(path, name, entry)
        if end - begin != math.prod(shape) * ITEM_BYTES[dtype]:
            _refuse(path, f"tensor {name!r} has not the bytes of its shape")
        spans.append((begin, end, name))
        tensors[name] = RawTensor(dtype, shape, data[begin:end])
    covered = 0
    for begin, end, name in sorted(spans):
        if begin != covered:
            _refuse(path, f"tensor {name!r} overlaps another or leaves a gap before it")
        covered = end
    if covered != len(data):
        _refuse(path, f"it holds {len(data)} bytes of tensors and its header says {covered}")
    return tensors


def _entry(path: Path, name: str, entry: object) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"tensor {name!r} is not described")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if str(entry["dtype"]) not in ITEM_BYTES or not _counts(shape) or not _counts(offsets):
        _refuse(path, f"tensor {name!r} is described wrongly")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(path, f"tensor {name!r} lies nowhere")
    return entry["dtype"], tuple(shape), (offsets[0], offsets[1])


def _counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _refuse(path: Path, why: str) -> NoReturn:
    hint = "get it again from where it was published; never open it with torch.load"
    raise IntegrityError(
        "REG-523", f"this file is not a whole checkpoint: {why}", where=str(path), hint=hint
    )
