"""Digests of files, folders and fields."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wxreg.canonical import digest
from wxreg.errors import UsageError

if TYPE_CHECKING:  # numpy is loaded only where fields are hashed: files need none of it
    import numpy as np
    from numpy.typing import NDArray

_FIELD: Final = b"wxreg-field-1\0"
_NAN_BITS: Final = 0x7FC00000


@dataclass(frozen=True, order=True)
class FileDigest:
    """One file of a tree; ``path`` is relative and has forward slashes."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TreeDigest:
    """What a folder holds: its files, and one digest of all."""

    digest: str
    files: tuple[FileDigest, ...]

    @property
    def bytes(self) -> int:
        """The bytes of all files together."""
        return sum(file.bytes for file in self.files)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_digest(folder: Path) -> TreeDigest:
    """The digest of a folder: of the sorted paths, sizes and SHA-256 of its files."""
    with ThreadPoolExecutor() as pool:
        files = tuple(pool.map(lambda entry: _file(folder, entry), tree_files(folder)))
    body = [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in files]
    return TreeDigest(digest("tree", body), files)


def tree_files(folder: Path) -> list[str]:
    """The files of a folder as sorted relative paths; links that leave it are refused."""
    return sorted(_walk(folder, folder.resolve(), ""))


def _walk(folder: Path, root: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.is_symlink():
                _check_link(Path(entry.path), root)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), root, path + "/")
            else:
                yield path


def _check_link(link: Path, root: Path) -> None:
    # Path.resolve raises on a loop of links in Python 3.11 and not in 3.13.
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(root) or not target.is_file():
        hint = "put the file itself there"
        what = f"this link leads to {target}, which is no file of the folder"
        raise UsageError("REG-203", what, where=str(link), hint=hint)


def _file(folder: Path, path: str) -> FileDigest:
    place = folder / path
    return FileDigest(path, place.stat().st_size, file_digest(place))


def field_digest(values: NDArray[Any]) -> str:
    """The digest of one 2-D field by its values alone (DESIGN §5).

    A copy that was widened, byte-swapped, re-chunked or renamed has the same digest.
    """
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise _unfit(f"a {values.ndim}-dimensional {values.dtype} array is not a field of numbers")
    total = hashlib.sha256(_FIELD)
    total.update(struct.pack("<II", *values.shape))
    total.update(_float32(values).data)
    return total.hexdigest()


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """The values as little-endian float32 with one zero and one NaN."""
    import numpy as np

    with np.errstate(over="ignore"):
        narrow = values.astype("<f4", order="C")
    missing = np.isnan(narrow)
    if values.dtype.itemsize > 2 and values.dtype.newbyteorder("=") != np.float32:
        exact = values.dtype if values.dtype.kind == "f" else np.longdouble
        same = narrow.astype(exact) == values
        if not np.all(same | missing):
            raise _unfit("the field has values that float32 cannot hold")
    with np.errstate(invalid="ignore"):
        narrow += np.float32(0)
    narrow.view("<u4")[missing] = _NAN_BITS
    return narrow


def merkle_root(field_digests: Iterable[str]) -> str:
    """The root of a binary tree over the sorted field digests; no order of fields matters."""
    level = [hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in sorted(field_digests)]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0].hex()


def prefix64(field: str) -> int:
    """The leading 64 bits of a digest as an unsigned integer: what the ledger looks up."""
    return int(field[:16], 16)


def _unfit(what: str) -> UsageError:
    return UsageError("REG-224", what, hint="store it as float32 before it is sealed")
