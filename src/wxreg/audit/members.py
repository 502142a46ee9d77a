"""What stands behind an artifact, as files: the members of a bundle and of a research crate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wxreg.artifacts.digests import tree_files
from wxreg.artifacts.layout import Layout, record_beside
from wxreg.artifacts.sealing import read_seal
from wxreg.audit.chain import stored_plan
from wxreg.audit.sealed import check_sealed
from wxreg.data.forecast_index import index_beside
from wxreg.errors import NotFound
from wxreg.ids import DataRef
from wxreg.ledger import lineage, queries
from wxreg.ledger.records import ArtifactRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library


@dataclass(frozen=True)
class Member:
    """One file: where it lies in a workspace, and its bytes or where they are."""

    name: str
    source: Path | bytes


@dataclass(frozen=True)
class Gathered:
    """An artifact with its chain, as far as it is here."""

    subjects: tuple[ArtifactRecord, ...]
    """What was asked for."""
    nodes: frozenset[str]
    """Every run and digest of the chain."""
    runs: tuple[str, ...]
    members: tuple[Member, ...]
    """Sorted by name, each once."""
    missing: tuple[str, ...]
    """What of the chain has no bytes here."""


def gather_chain(root: Path, ledger: Ledger, node: str) -> Gathered:
    """The outputs of a run, or a forecast or checkpoint, with everything it was made from."""
    subjects = _subjects(ledger, node)
    nodes = _nodes(ledger, node, subjects)
    runs = tuple(sorted(name for name in nodes if queries.runs(ledger, id=name)))
    missing: list[str] = []
    found = [
        *_run_members(root, ledger, runs),
        *_artifact_members(root, ledger, nodes, missing),
        *_catalog_members(root, ledger, runs, missing),
    ]
    if not any(record_beside(root / one.path).exists() for one in subjects):
        raise NotFound("REG-301", "its bytes are not here", where=node)
    members = sorted({one.name: one for one in found}.values(), key=lambda one: one.name)
    return Gathered(subjects, frozenset(nodes), runs, tuple(members), tuple(missing))


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
    """The files of one artifact, which must be what was sealed, and what lies beside it."""
    path = root / record.path
    if not path.exists():
        return
    check_sealed(path, read_seal(path))
    if path.is_dir():
        yield from (Member(f"{record.path}/{name}", path / name) for name in tree_files(path))
    else:
        yield Member(record.path, path)
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
