"""``reg import``: a bundle of another lab is verified whole before any of it is accepted."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.layout import RECORD_SUFFIX, Layout
from wxreg.artifacts.sealing import Seal, read_seal, storage_errors
from wxreg.audit.plans import KINDS, text_fault
from wxreg.audit.restoring import restore_artifact, restore_run
from wxreg.audit.sealed import check_sealed
from wxreg.audit.unpacking import Manifest, unpack
from wxreg.canonical import short
from wxreg.errors import Conflict, IntegrityError, RegError
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger


@dataclass(frozen=True)
class Imported:
    """What was taken in."""

    runs: tuple[str, ...]
    artifacts: tuple[str, ...]
    left: tuple[str, ...]
    """Catalog files that this workspace has with other content, and keeps."""


def import_bundle(root: Path, ledger: Ledger, path: Path) -> Imported:
    """Unpack aside, verify everything, then move it into place and enter it in the ledger.

    Importing the same bundle again changes nothing, so a killed import is simply repeated.
    """
    waiting = root / ".reg"
    with storage_errors(waiting):
        waiting.mkdir(exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix="import-", dir=waiting))
    try:
        manifest = unpack(path, aside)
        bodies = _verified(aside, ledger, manifest, path)
        left = _move(root, aside, manifest)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    runs = tuple(body["run"]["id"] for body in bodies if restore_run(root, ledger, body))
    return Imported(runs, tuple(_take_artifacts(root, ledger, manifest)), left)


def _verified(
    aside: Path, ledger: Ledger, manifest: Manifest, path: Path
) -> tuple[dict[str, Any], ...]:
    """Every record, digest and plan of the unpacked bundle; anything wrong refuses it all."""
    try:
        bodies = tuple(_run_body(aside, run) for run in manifest.runs)
        seals = {place: read_seal(place) for place in _sealed(aside, manifest)}
        for place, record in seals.items():
            check_sealed(place, record)
        _check_chain(ledger, manifest, bodies, tuple(seals.values()))
    except (RegError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, Conflict):
            raise
        what = f"this bundle is not accepted: {error}"
        raise IntegrityError("REG-572", what, where=str(path)) from error
    return bodies


def _run_body(aside: Path, run: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(Layout(aside).run_json(run).read_bytes())
    record = RunRecord.from_json(body["run"])
    if record.id != run:
        raise ValueError(f"runs/{run} holds the record of {record.id}")
    for name, sha256 in record.documents.items():
        if hashlib.sha256(body["documents"][name].encode()).hexdigest() != sha256:
            raise ValueError(f"the {name} of {run} does not have its SHA-256")
    if record.plan is not None and record.kind in KINDS:
        fault = text_fault(record.kind, body["documents"]["plan"], record.plan)
        if fault:
            raise ValueError(f"{run}: {fault}")
    return body


def _sealed(folder: Path, manifest: Manifest) -> Iterator[Path]:
    for name in manifest.files:
        if name.endswith(RECORD_SUFFIX):
            yield folder / name.removesuffix(RECORD_SUFFIX)


def _check_chain(
    ledger: Ledger,
    manifest: Manifest,
    bodies: tuple[dict[str, Any], ...],
    seals: tuple[Seal, ...],
) -> None:
    """Every artifact has its run, every checkpoint that a run read is here or already known."""
    runs = {body["run"]["id"] for body in bodies}
    digests = {record.sha256 for record in seals}
    for record in seals:
        if record.run is not None and record.run not in runs:
            raise ValueError(f"the run {record.run} of {short(record.sha256)} is missing")
    for body in bodies:
        for parent, role in body["inputs"].items():
            known = parent in digests or queries.artifacts_of(ledger, parent)
            if "checkpoint" in role.split() and not known:
                raise ValueError(
                    f"the checkpoint {short(parent)} of {body['run']['id']} is missing"
                )
        _check_same_run(ledger, body)
    if not set(manifest.subjects) <= digests:
        raise ValueError("what the bundle is about is not in it")


def _check_same_run(ledger: Ledger, body: dict[str, Any]) -> None:
    known = queries.runs(ledger, id=body["run"]["id"])
    if known and known[0] != RunRecord.from_json(body["run"]):
        what = f"this ledger has another run {body['run']['id']!r}"
        raise Conflict("REG-621", what, hint="the bundle contradicts what is recorded here")


def _move(root: Path, aside: Path, manifest: Manifest) -> tuple[str, ...]:
    """Put every file in place; one that is there with other bytes is a conflict, or is kept."""
    left, new = [], []
    for name, (_, sha256) in manifest.files.items():
        target = root / name
        if not target.resolve().is_relative_to(root.resolve()):
            raise IntegrityError("REG-572", "a link leads out of the workspace", where=name)
        if not target.exists():
            new.append(name)
        elif not target.is_file() or file_digest(target) != sha256:
            if not name.startswith("catalog/"):
                hint = "this workspace holds something else under that name"
                raise Conflict("REG-600", "a file is there already", where=name, hint=hint)
            left.append(name)
    for name in new:
        target = root / name
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            (aside / name).replace(target)
    return tuple(left)


def _take_artifacts(root: Path, ledger: Ledger, manifest: Manifest) -> Iterator[str]:
    for place in _sealed(root, manifest):
        if restore_artifact(root, ledger, place, read_seal(place)):
            yield Layout(root).relative(place)
