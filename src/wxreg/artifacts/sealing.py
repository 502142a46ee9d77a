"""Write aside, make durable, rename: a target is either what it was or whole and new.

A sealed artifact has its record beside it, from which the ledger can be rebuilt.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.digests import file_digest, tree_digest
from wxreg.artifacts.layout import record_beside
from wxreg.canonical import canonical_json, short
from wxreg.errors import Conflict, IntegrityError, NotFound, StorageError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNWRITABLE: Final = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}


@dataclass(frozen=True)
class Seal:
    """The record beside an artifact: what it is, and the head of the log when it was sealed.

    ``sources`` maps what it was made from to the role, where its run does not say it.
    """

    kind: str
    sha256: str
    bytes: int
    created: str
    run: str | None
    head: tuple[int, str]
    sources: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full or unwritable disk into an error that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            hint = "make room and run the command again; what was there before is untouched"
            what = f"no room to write: {error.strerror}"
        elif error.errno in _UNWRITABLE:
            hint = "gain the right to write there, or name another place"
            what = f"cannot write here: {error.strerror}"
        else:
            raise
        raise StorageError("REG-820", what, where=str(path), hint=hint) from error


@contextmanager
def writing_file(target: Path) -> Iterator[Path]:
    """A path to write to; when the block ends well, it replaces ``target`` in one step."""
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(target)
        try:
            yield aside
            _make_durable(aside)
            aside.replace(target)
            _make_durable(target.parent)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def writing_folder(target: Path) -> Iterator[Path]:
    """A folder to fill; when the block ends well, it becomes ``target``, which must be new."""
    if target.exists():
        hint = "remove it first if it is not needed"
        raise Conflict("REG-600", "this folder exists already", where=str(target), hint=hint)
    with storage_errors(target):
        aside = _aside(target)
        aside.mkdir(parents=True)
        try:
            yield aside
            for folder, _, names in os.walk(aside, topdown=False):
                for name in names:
                    _make_durable(Path(folder) / name)
                _make_durable(Path(folder))
            aside.rename(target)
            _make_durable(target.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Replace a small file by this text in one step."""
    with writing_file(target) as aside:
        aside.write_text(text, encoding="utf-8")


def seal(path: Path, record: Seal) -> None:
    """Write the record beside an artifact; from then on it is sealed."""
    body = {"format": 1, **asdict(record)}
    write_text(record_beside(path), canonical_json(body).decode() + "\n")


def read_seal(path: Path) -> Seal:
    """The record beside an artifact."""
    place = record_beside(path)
    try:
        body = json.loads(place.read_text(encoding="utf-8"))
        body.pop("format")
        number, hash = body.pop("head")
        return Seal(**body, head=(number, hash))
    except FileNotFoundError as error:
        raise NotFound("REG-301", "this artifact is not sealed", where=str(path)) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"the sealed record is damaged: {error}"
        raise IntegrityError("REG-500", what, where=str(place)) from error


def measured(path: Path) -> tuple[str, int]:
    """The SHA-256 of a file, or the tree digest of a folder, and the bytes it holds."""
    if path.is_dir():
        tree = tree_digest(path)
        return tree.digest, tree.bytes
    return file_digest(path), path.stat().st_size


def check_seal(path: Path) -> Seal:
    """Read the whole artifact and compare it with its record."""
    record = read_seal(path)
    sha256, size = measured(path)
    if (sha256, size) != (record.sha256, record.bytes):
        raise IntegrityError(
            "REG-500",
            f"these {size} bytes have the digest {short(sha256)}, "
            f"and {short(record.sha256)} ({record.bytes} bytes) was sealed",
            where=str(path),
            hint="restore it from a copy, or make it again with `reg reproduce`",
        )
    return record


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.writing-{secrets.token_hex(4)}")


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
