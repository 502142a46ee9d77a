"""Are the bytes of every artifact here, and those that were sealed?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from wxreg.artifacts.digests import file_digest, merkle_root, tree_digest
from wxreg.artifacts.sealing import read_seal
from wxreg.audit.inventory import Inventory
from wxreg.audit.payload import Reference, compare, read_payload
from wxreg.canonical import short
from wxreg.data.forecast_index import index_beside, read_index
from wxreg.errors import NotFound, RegError
from wxreg.findings import Finding
from wxreg.ledger.records import ArtifactRecord

_REMEDY = "restore it from a copy, or make it again with `reg reproduce`; `reg impact` lists \
what came from it"


def bytes_findings(inventory: Inventory) -> Iterator[Finding]:
    """Check each artifact: by size and time when quick, by every byte when full."""
    prefix = f"{inventory.root}{os.sep}"
    for record in inventory.here:
        place = prefix + record.path
        try:
            stat = os.stat(place)  # noqa: PTH116  ten thousand Path objects cost more than this
        except OSError:
            yield _absent(record)
            continue
        unchanged = stat.st_mtime_ns == record.mtime_ns and (
            stat.st_size == record.bytes or not record.mtime_ns or os.path.isdir(place)  # noqa: PTH112
        )
        if inventory.full or not unchanged:
            yield from _read(Path(place), record)
        if inventory.full:
            yield from _record(Path(place), record)


def _absent(record: ArtifactRecord) -> Finding:
    remedy = "fetch or restore it; `reg reproduce` makes it again from its plan"
    return Finding("warning", "REG-370", record.path, "its bytes are not here", remedy)


def _read(path: Path, record: ArtifactRecord) -> Iterator[Finding]:
    try:
        what = _forecast_fault(path, record) if record.kind == "forecast" else _fault(path, record)
    except RegError as error:
        what = f"it cannot be read: {error.message}"
    if what:
        yield Finding("error", "REG-500", record.path, what, _REMEDY)


def _fault(path: Path, record: ArtifactRecord) -> str | None:
    found = tree_digest(path).digest if path.is_dir() else file_digest(path)
    if found == record.sha256:
        return None
    return f"its bytes have the digest {short(found)}, {short(record.sha256)} was sealed"


def _forecast_fault(path: Path, record: ArtifactRecord) -> str | None:
    """A forecast is known by the digests of its fields; its index says which one differs."""
    payload = read_payload(path)
    if merkle_root(one.digest for one in payload.prints if one.digest) == record.sha256:
        return _index_fault(path, record.sha256)
    if not index_beside(path).is_file():
        return "its fields are not those that were sealed"
    entries = tuple(read_index(path))
    variables = frozenset(entry.variable for entry in entries)
    comparison = compare(payload, Reference(record.sha256, frozenset(), entries, variables))
    places = [
        f"{one.variable} init {one.init} lead {one.lead} member {one.member}"
        for one in comparison.differences[:3]
    ]
    return f"{len(comparison.differences)} fields are not those that were sealed: {places}"


def _index_fault(path: Path, sha256: str) -> str | None:
    if not index_beside(path).is_file():
        return None
    if merkle_root(entry.digest for entry in read_index(path)) == sha256:
        return None
    return "the payload index beside it is not the one that was sealed"


def _record(path: Path, record: ArtifactRecord) -> Iterator[Finding]:
    """The sealed record beside it must say what the ledger says."""
    try:
        told = read_seal(path)
    except NotFound:
        remedy = "restore the record from a copy: the ledger cannot be rebuilt without it"
        yield Finding("warning", "REG-370", record.path, "no sealed record lies beside it", remedy)
        return
    except RegError as error:
        yield Finding("error", error.code, record.path, error.message, _REMEDY)
        return
    if told.sha256 != record.sha256:
        what = f"the record beside it says {short(told.sha256)}, the ledger {short(record.sha256)}"
        yield Finding("error", "REG-500", record.path, what, _REMEDY)
