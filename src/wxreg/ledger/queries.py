"""What the ledger can tell: runs, artifacts, documents, events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, Select, select

from wxreg.errors import NotFound, UsageError
from wxreg.ids import near_names
from wxreg.ledger.records import GENESIS, ArtifactRecord, Edge, Event, Owner, RunRecord
from wxreg.ledger.store import Ledger
from wxreg.ledger.tables import TABLES

_NEAR = 1000


def run(ledger: Ledger, run_id: str) -> RunRecord:
    """The run of that id."""
    found = runs(ledger, id=run_id)
    if not found:
        newest = [record.id for record in runs(ledger, limit=_NEAR)]
        near = near_names(run_id, newest)
        hint = f"did you mean {' or '.join(near)}?" if near else "`reg log` lists the runs"
        raise NotFound("REG-320", f"the ledger has no run {run_id!r}", hint=hint)
    return found[0]


def runs(ledger: Ledger, *, limit: int | None = None, **equal: str) -> tuple[RunRecord, ...]:
    """The runs whose columns equal what is given (``kind="train"``, ``plan=…``), newest first."""
    table = TABLES["runs"]
    query = select(table).order_by(table.c.began.desc(), table.c.id.desc()).limit(limit)
    for name, value in equal.items():
        query = query.where(table.c[name] == value)
    return tuple(_run(row) for row in _rows(ledger, query))


def runs_of_plan(ledger: Ledger, plan: str) -> tuple[RunRecord, ...]:
    """Every run of the plan with that digest, newest first."""
    return runs(ledger, plan=plan)


def reusable_run(ledger: Ledger, plan: str, code: str, environment: str) -> RunRecord | None:
    """The newest finished run of the same plan, code and environment, if there is one."""
    same = runs(ledger, limit=1, plan=plan, code=code, environment=environment, state="finished")
    return same[0] if same else None


def artifacts(ledger: Ledger, **equal: str) -> tuple[ArtifactRecord, ...]:
    """The artifacts whose columns equal what is given (``kind=…``, ``run=…``), oldest first."""
    table = TABLES["artifacts"]
    query = select(table).order_by(table.c.created, table.c.sha256, table.c.path)
    for name, value in equal.items():
        query = query.where(table.c[name] == value)
    return tuple(map(_artifact, _tuples(ledger, query)))


def artifacts_of(ledger: Ledger, sha256: str) -> tuple[ArtifactRecord, ...]:
    """Every place that holds, or held, those bytes."""
    return artifacts(ledger, sha256=sha256)


def artifacts_at(ledger: Ledger, path: str) -> tuple[ArtifactRecord, ...]:
    """Everything ever registered at that place, oldest first."""
    return artifacts(ledger, path=path)


def full_digest(ledger: Ledger, shown: str) -> str:
    """The one SHA-256 of an artifact that begins with ``shown``."""
    table = TABLES["artifacts"]
    query = (
        select(table.c.sha256).distinct().where(table.c.sha256.startswith(shown, autoescape=True))
    )
    found = sorted(row.sha256 for row in _rows(ledger, query.limit(_NEAR)))
    if not found:
        raise NotFound("REG-321", f"the ledger has no artifact {shown!r}")
    if len(found) > 1:
        candidates = ", ".join(digest[:20] for digest in found[:5])
        raise UsageError(
            "REG-223",
            f"{shown!r} begins the digests of {len(found)} artifacts",
            hint=f"give more characters: {candidates}",
        )
    return str(found[0])


def document(ledger: Ledger, sha256: str) -> str:
    """The stored text (a plan, a patch, a list of distributions) of that SHA-256."""
    table = TABLES["documents"]
    found = _rows(ledger, select(table.c.text).where(table.c.sha256 == sha256))
    if not found:
        raise NotFound("REG-322", f"the ledger has no document {sha256[:12]}")
    return str(found[0].text)


def run_json(ledger: Ledger, run_id: str) -> dict[str, Any]:
    """The body of ``run.json``: all that the ledger knows of a run, sufficient to rebuild it."""
    record = run(ledger, run_id)
    table = TABLES["edges"]
    parents = select(table.c.parent, table.c.role).where(table.c.child == run_id)
    return {
        "run": asdict(record),
        "inputs": {row.parent: row.role for row in _rows(ledger, parents)},
        "documents": {name: document(ledger, sha256) for name, sha256 in record.documents.items()},
    }


def edges(ledger: Ledger) -> tuple[Edge, ...]:
    """Every edge of the lineage graph, sorted."""
    table = TABLES["edges"]
    columns = (table.c.parent, table.c.child, table.c.role)
    query = select(*columns).order_by(*columns)
    return tuple(map(Edge._make, _tuples(ledger, query)))


def events(ledger: Ledger, *, after: int = 0, limit: int | None = None) -> tuple[Event, ...]:
    """The events that follow the one numbered ``after``, in order."""
    table = TABLES["events"]
    query = select(table).where(table.c.sequence > after).order_by(table.c.sequence).limit(limit)
    return tuple(Event(**row._mapping) for row in _rows(ledger, query))


def unlinked(ledger: Ledger) -> tuple[int, ...]:
    """The events that do not name the hash of the one before them, found by the database."""
    table = TABLES["events"]
    before = table.alias()
    first = (table.c.sequence == 1) & (table.c.prev == GENESIS)
    query = (
        select(table.c.sequence)
        .outerjoin(before, before.c.sequence == table.c.sequence - 1)
        .where(~first, before.c.hash.is_distinct_from(table.c.prev))
        .order_by(table.c.sequence)
    )
    return tuple(row.sequence for row in _rows(ledger, query))


def _rows(ledger: Ledger, query: Select[Any]) -> Sequence[Row[Any]]:
    with ledger.reading() as connection:
        return connection.execute(query).all()


def _tuples(ledger: Ledger, query: Select[Any]) -> list[tuple[Any, ...]]:
    """The driver's own tuples: of ten thousand rows SQLAlchemy's cost as much as reading them."""
    with ledger.reading() as connection:
        cursor: Any = connection.execute(query).cursor
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _run(row: Row[Any]) -> RunRecord:
    values = dict(row._mapping)
    for name in ("details", "documents", "outcome"):
        values[name] = json.loads(values[name])
    return RunRecord(**{**values, "owner": Owner(**json.loads(row.owner))})


def _artifact(row: tuple[Any, ...]) -> ArtifactRecord:
    sha256, path, kind, bytes_, created, run, mtime_ns, removed, details = row
    told = json.loads(details) if details != "{}" else {}
    return ArtifactRecord(sha256, kind, path, bytes_, created, run, mtime_ns, removed, told)
