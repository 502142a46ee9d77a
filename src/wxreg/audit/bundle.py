"""``reg bundle``: an artifact with its whole chain in one file that another lab can verify.

A bundle is a zip whose members are stored, never compressed: what it holds is compressed
already, and nothing can swell when it is opened.  ``manifest.json`` comes first and lists every
file with its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.digests import file_digest, tree_files
from wxreg.artifacts.layout import Layout, record_beside
from wxreg.artifacts.sealing import writing_file
from wxreg.audit.ancestors import check_file
from wxreg.audit.chain import stored_plan
from wxreg.canonical import canonical_json
from wxreg.data.forecast_files import index_beside
from wxreg.errors import Conflict, IntegrityError, NotFound
from wxreg.ids import DataRef
from wxreg.ledger import lineage, queries
from wxreg.ledger.records import ArtifactRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Member:
    """One file of a bundle: where it lies in a workspace, and its bytes or where they are."""

    name: str
    source: Path | bytes


@dataclass(frozen=True)
class Bundled:
    """What was packed, and what of the chain could not be."""

    path: Path
    files: int
    runs: tuple[str, ...]
    missing: tuple[str, ...]


def bundle(root: Path, ledger: Ledger, node: str, out: Path) -> Bundled:
    """Pack a run's outputs, a forecast or a checkpoint with everything it was made from."""
    if out.exists():
        raise Conflict("REG-600", "a file is there already", where=str(out), hint="name another")
    subjects = _subjects(ledger, node)
    nodes = _nodes(ledger, node, subjects)
    runs = tuple(sorted(name for name in nodes if queries.runs(ledger, id=name)))
    missing: list[str] = []
    members = [
        *_run_members(root, ledger, runs),
        *_artifact_members(root, ledger, nodes, missing),
        *_catalog_members(root, ledger, runs, missing),
    ]
    if not any(record_beside(root / one.path).exists() for one in subjects):
        raise NotFound("REG-301", "its bytes are not here", where=node)
    _write(out, [subject.sha256 for subject in subjects], runs, members, missing)
    return Bundled(out, len(members), runs, tuple(missing))


def _subjects(ledger: Ledger, node: str) -> tuple[ArtifactRecord, ...]:
    found = queries.artifacts(ledger, run=node) or queries.artifacts_of(ledger, node)
    if not found:
        raise NotFound("REG-321", f"the ledger has no artifact or run {node!r} with results")
    return found


def _nodes(ledger: Ledger, node: str, subjects: tuple[ArtifactRecord, ...]) -> set[str]:
    found = {node, *(one.sha256 for one in subjects)}
    for start in tuple(found):
        found |= {edge.parent for edge in lineage.ancestors(ledger, start)}
    return found


def _run_members(root: Path, ledger: Ledger, runs: tuple[str, ...]) -> Iterator[Member]:
    layout = Layout(root)
    for run in runs:
        body = queries.run_json(ledger, run)
        text = json.dumps(body, indent=1, sort_keys=True).encode()
        yield Member(layout.relative(layout.run_json(run)), text)
        plan = body["documents"].get("plan")
        if plan is not None:
            yield Member(layout.relative(layout.plan_json(run)), plan.encode())


def _artifact_members(
    root: Path, ledger: Ledger, nodes: set[str], missing: list[str]
) -> Iterator[Member]:
    for sha256 in sorted(nodes):
        places = queries.artifacts_of(ledger, sha256)
        here = [one for one in places if record_beside(root / one.path).is_file()]
        if places and not any((root / one.path).exists() for one in here):
            missing.append(f"{places[0].kind} {sha256}")
        for record in here:
            yield from _files_of(root, record)


def _files_of(root: Path, record: ArtifactRecord) -> Iterator[Member]:
    path = root / record.path
    if path.is_dir():
        yield from (Member(f"{record.path}/{name}", path / name) for name in tree_files(path))
    elif path.is_file():
        checked = check_file(root, record, record.path, deep=True)
        if checked.state == "changed":
            raise IntegrityError("REG-500", str(checked.what), where=record.path)
        yield Member(record.path, path)
    else:
        return
    for beside in (record_beside(path), index_beside(path)):
        if beside.is_file():
            yield Member(beside.relative_to(root).as_posix(), beside)


def _catalog_members(
    root: Path, ledger: Ledger, runs: tuple[str, ...], missing: list[str]
) -> Iterator[Member]:
    """The statistics that the plans name, as long as the catalog still has those very numbers."""
    library = Library(root)
    wanted: dict[str, str] = {}
    for run in runs:
        plan = stored_plan(ledger, queries.run(ledger, run))
        for side, name in plan.get("about", {}).get("statistics", {}).items():
            wanted[name] = plan.get(side, {}).get("statistics")
    for name, digest in sorted(wanted.items()):
        ref, _, word = name.partition("/")
        found = library.statistics(DataRef.parse(ref), word)
        if found is None or found.digest() != digest:
            missing.append(f"statistics {name} {digest}")
            continue
        path = library.statistics_path(DataRef.parse(ref), word)
        yield Member(path.relative_to(root).as_posix(), path)


def _write(
    out: Path,
    subjects: list[str],
    runs: tuple[str, ...],
    members: list[Member],
    missing: list[str],
) -> None:
    ordered = sorted({member.name: member for member in members}.values(), key=lambda m: m.name)
    body = {
        "format": FORMAT,
        "kind": "wxreg-bundle",
        "subjects": sorted(set(subjects)),
        "runs": list(runs),
        "missing": missing,
        "files": [_listed(member) for member in ordered],
    }
    with writing_file(out) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), canonical_json(body))
        for member in ordered:
            info = zipfile.ZipInfo(member.name, _EPOCH)
            if isinstance(member.source, bytes):
                archive.writestr(info, member.source)
                continue
            info.file_size = member.source.stat().st_size
            with member.source.open("rb") as stream, archive.open(info, "w") as target:
                while piece := stream.read(1 << 20):
                    target.write(piece)


def _listed(member: Member) -> dict[str, Any]:
    if isinstance(member.source, bytes):
        sha256, size = hashlib.sha256(member.source).hexdigest(), len(member.source)
    else:
        sha256, size = file_digest(member.source), member.source.stat().st_size
    return {"path": member.name, "bytes": size, "sha256": sha256}
