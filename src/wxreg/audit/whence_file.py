"""Whence any other file: statistics by their digest, the rest by bytes and sealed record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.sealing import measured
from wxreg.audit.ancestors import is_committed
from wxreg.audit.answer import Answer, Difference, Status
from wxreg.audit.chain import ledger_chain, stored_plan
from wxreg.audit.proof import concluded, seal_beside
from wxreg.audit.workplace import Workplace
from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.ids import DataRef
from wxreg.ledger import lineage, queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.library.reading import read_values
from wxreg.specs.statistics import Statistics


def whence_file(path: Path, here: Workplace, *, deep: bool) -> Answer:
    """A score table, a card, or any sealed file or folder."""
    folder = _sealed_folder(path, here)
    if folder is not None:
        answer = whence_file(folder, here, deep=deep)
        return replace(
            answer, subject={**answer.subject, "path": str(path), "part_of": str(folder)}
        )
    sha256, _ = measured(path)
    seal = seal_beside(path)
    subject: dict[str, Any] = {"path": str(path), "kind": "file", "sha256": sha256}
    known = queries.artifacts_of(here.ledger, sha256) if here.ledger is not None else ()
    expected = _expected(path, here) or (seal.sha256 if seal else None)
    differences = []
    if expected is not None and expected != sha256:
        what = f"these bytes have the digest {short(sha256)}, and {short(expected)} was sealed"
        differences.append(Difference("bytes", what, path.name))
    origin = known[0].sha256 if known else expected
    chain: dict[str, Any] = {}
    if here.ledger is not None and origin and queries.artifacts_of(here.ledger, origin):
        kind = queries.artifacts_of(here.ledger, origin)[0].kind
        subject["kind"] = kind
        chain = ledger_chain(here.ledger, origin, kind, {})
    status: Status = "verified" if known else "claimed" if seal else "unknown"
    if status == "unknown":
        subject["notes"] = ["no record lies beside it, and no ledger here knows these bytes"]
    return concluded(status, subject, chain, differences, here, deep=deep)


def _sealed_folder(path: Path, here: Workplace) -> Path | None:
    """The sealed folder that a file is part of, here or where a copied table says it was."""
    if not path.is_file() or seal_beside(path) is not None:
        return None
    if seal_beside(path.resolve().parent) is not None:
        return path.parent
    for place in _told_folders(path, here):
        original = place / path.name
        if original.is_file() and file_digest(original) == file_digest(path):
            return place
    return None


def _told_folders(path: Path, here: Workplace) -> Iterator[Path]:
    """The folders of the run that a JSON table names."""
    if path.suffix != ".json" or here.ledger is None or here.root is None:
        return
    try:
        told = json.loads(path.read_bytes())
    except ValueError:
        return
    run = told.get("run") if isinstance(told, dict) else None
    for record in queries.artifacts(here.ledger, run=run) if isinstance(run, str) else ():
        yield here.root / record.path


def _expected(path: Path, here: Workplace) -> str | None:
    """The SHA-256 that the ledger has for that place."""
    place = here.relative(path)
    if here.ledger is None or place is None:
        return None
    found = [one for one in queries.artifacts_at(here.ledger, place) if one.removed is None]
    return found[-1].sha256 if found else None


def whence_statistics(path: Path, here: Workplace, *, deep: bool) -> Answer:
    """A statistics file: by the digest of its numbers; any other YAML by its bytes."""
    try:
        found = Statistics.from_json(json.dumps(read_values(path, None)))
    except (ValidationError, RegError) as error:
        if _used(path, here):
            return _unreadable(path, here, str(error), deep=deep)
        return whence_file(path, here, deep=deep)
    digest = found.digest()
    name = f"{found.dataset}/{found.id}"
    chain = {
        "statistics": [{"digest": digest, "name": name if _is_catalogued(path, here) else None}],
        "data": [{"dataset": found.dataset, "content": found.source_digest, "sides": ["source"]}],
        "code": {"computing": {"version": found.code}} if found.code else None,
    }
    subject: dict[str, Any] = {"path": str(path), "kind": "statistics", "sha256": digest}
    users = _users(here.ledger, digest) if here.ledger is not None else ()
    subject["used_by"] = list(users)
    differences = [] if users else list(_changed(path, digest, here))
    differences += _other_source(found, here)
    status: Status = "verified" if users else "claimed"
    return concluded(status, subject, chain, differences, here, deep=deep)


def _users(ledger: Ledger, digest: str) -> tuple[str, ...]:
    edges = lineage.descendants(ledger, digest)
    return tuple(sorted({edge.child for edge in edges if edge.parent == digest}))


def _is_catalogued(path: Path, here: Workplace) -> bool:
    return (here.relative(path) or "").startswith("catalog/stats/")


def _used(path: Path, here: Workplace) -> dict[str, str]:
    """The digests that runs of the ledger used of the file at this place, by run."""
    place = here.relative(path) or ""
    if here.ledger is None or not place.startswith("catalog/stats/"):
        return {}
    dataset, version, file = place.removeprefix("catalog/stats/").split("/")
    name = f"{dataset}@{version}/{Path(file).stem}"
    seen: dict[str, Mapping[str, Any]] = {}
    used = {}
    for run in queries.runs(here.ledger):
        text = run.documents.get("plan", "")
        plan = seen.setdefault(text, stored_plan(here.ledger, run) if text not in seen else {})
        for digest in _named_in(plan, name):
            used[run.id] = digest
    return used


def _named_in(plan: Mapping[str, Any], name: str) -> Iterator[str]:
    for side, told in plan.get("about", {}).get("statistics", {}).items():
        if told == name and plan.get(side, {}).get("statistics"):
            yield plan[side]["statistics"]


def _changed(path: Path, digest: str, here: Workplace) -> Iterator[Difference]:
    if here.root is not None and is_committed(here.root, path.resolve()):
        return
    for run, known in _used(path, here).items():
        what = f"{run} used {short(known)} of this file, and it has {short(digest)} now"
        yield Difference("bytes", what, path.name)
        return


def _other_source(found: Statistics, here: Workplace) -> list[Difference]:
    """Whether the catalog's version of that name still has the content they were made from."""
    if here.root is None:
        return []
    try:
        content = Library(here.root).version(DataRef.parse(found.dataset)).content
    except RegError:
        return []  # this workspace does not know the dataset: nothing to compare with
    if content == found.source_digest:
        return []
    what = f"made from {short(found.source_digest)}; {found.dataset} is {short(content)} here"
    return [Difference("claim", what, "source_digest")]


def _unreadable(path: Path, here: Workplace, why: str, *, deep: bool) -> Answer:
    subject = {"path": str(path), "kind": "statistics", "used_by": sorted(_used(path, here))}
    difference = Difference("bytes", f"runs used this file, and it cannot be read now: {why}")
    return concluded("tampered", subject, {}, (difference,), here, deep=deep)
