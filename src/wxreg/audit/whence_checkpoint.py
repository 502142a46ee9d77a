"""Whence a checkpoint: found by its bytes; a changed copy is held against the original."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wxreg.artifacts.checkpoint_file import Checkpoint, read_checkpoint
from wxreg.artifacts.digests import file_digest
from wxreg.audit.answer import Answer, Difference, Status
from wxreg.audit.chain import ledger_chain, plan_chain
from wxreg.audit.proof import concluded, seal_beside
from wxreg.audit.workplace import Workplace
from wxreg.canonical import short
from wxreg.errors import IntegrityError
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord
from wxreg.ledger.store import Ledger


def whence_checkpoint(path: Path, here: Workplace, *, deep: bool) -> Answer:
    """Look the bytes up; else say what the file claims and where it differs from the original."""
    sha256 = file_digest(path)
    subject: dict[str, Any] = {"path": str(path), "kind": "checkpoint", "sha256": sha256}
    seal = seal_beside(path)
    if here.ledger is not None and queries.artifacts_of(here.ledger, sha256):
        differences = []
        if seal is not None and seal.sha256 != sha256:
            what = f"the record beside it says {short(seal.sha256)}"
            differences.append(Difference("record", what, f"{path.name}.reg.json"))
        chain = ledger_chain(
            here.ledger, sha256, "checkpoint", {"training_run": _run_at(path, here)}
        )
        subject["evidence"] = "the SHA-256 of the file"
        return concluded("verified", subject, chain, differences, here, deep=deep)
    return _unregistered(path, sha256, subject, here, deep=deep)


def _run_at(path: Path, here: Workplace) -> str | None:
    place = here.relative(path)
    if here.ledger is None or place is None:
        return None
    found = queries.artifacts_at(here.ledger, place)
    return found[-1].run if found else None


def _unregistered(
    path: Path, sha256: str, subject: dict[str, Any], here: Workplace, *, deep: bool
) -> Answer:
    claimed, chain, differences = None, {}, []
    try:
        claimed = read_checkpoint(path)
        chain = _claimed_chain(claimed)
    except IntegrityError as error:
        differences.append(Difference("bytes", error.message, path.name))
    original = _original(path, claimed, here)
    seal = seal_beside(path)
    known = original.sha256 if original else (seal.sha256 if seal else None)
    if known is not None and known != sha256:
        what = f"these bytes have the digest {short(sha256)}, and {short(known)} was sealed"
        differences.append(Difference("bytes", what, path.name))
    if original is not None and here.ledger is not None:
        chain = ledger_chain(here.ledger, original.sha256, "checkpoint", {})
        differences += _tensor_differences(claimed, here, original)
    subject["evidence"] = "what the file says of itself"
    subject["notes"] = ["no ledger here knows these bytes"]
    status: Status = "claimed" if claimed is not None or seal else "unknown"
    return concluded(status, subject, chain, differences, here, deep=deep)


def _claimed_chain(claimed: Checkpoint) -> dict[str, Any]:
    plan = claimed.metadata.get("plan")
    return plan_chain(plan if isinstance(plan, dict) else {}, claimed.metadata.get("plan_digest"))


def _original(path: Path, claimed: Checkpoint | None, here: Workplace) -> ArtifactRecord | None:
    """The registered checkpoint that this file should be, or is a changed copy of."""
    if here.ledger is None:
        return None
    place = here.relative(path)
    registered = queries.artifacts_at(here.ledger, place) if place is not None else ()
    if registered:
        return registered[-1]
    for record in _of_same_plan(here.ledger, claimed):
        original = _open(here, record)
        if claimed and original and _mostly_equal(claimed, original):
            return record
    return None


def _of_same_plan(ledger: Ledger, claimed: Checkpoint | None) -> Iterator[ArtifactRecord]:
    digest = claimed.metadata.get("plan_digest") if claimed else None
    for run in queries.runs_of_plan(ledger, digest) if isinstance(digest, str) else ():
        yield from queries.artifacts(ledger, run=run.id, kind="checkpoint")


def _open(here: Workplace, record: ArtifactRecord) -> Checkpoint | None:
    path = None if here.root is None else here.root / record.path
    if path is None or not path.is_file() or file_digest(path) != record.sha256:
        return None
    return read_checkpoint(path)


def _mostly_equal(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether most tensors are the same: a second training of a plan changes nearly all."""
    same = [name for name in one.tensors if name in other.tensors and _equal(one, other, name)]
    return len(same) * 2 > len(one.tensors)


def _tensor_differences(
    claimed: Checkpoint | None, here: Workplace, record: ArtifactRecord
) -> list[Difference]:
    original = _open(here, record)
    if claimed is None or original is None:
        return []
    names = sorted({*claimed.tensors, *original.tensors})
    found = [
        Difference("tensor", "this tensor is not the sealed one", name)
        for name in names
        if not (name in claimed.tensors and name in original.tensors)
        or not _equal(claimed, original, name)
    ]
    if claimed.metadata != original.metadata:
        found.append(Difference("claim", "the metadata is not the sealed one", "__metadata__"))
    return found


def _equal(one: Checkpoint, other: Checkpoint, name: str) -> bool:
    mine, theirs = one.tensors[name], other.tensors[name]
    alike = (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
    return alike and bytes(mine.data) == bytes(theirs.data)
