"""What each kind of event does to the tables, as values.

The store carries these changes out in the database when an event is appended; verification
carries them out in memory and compares.  Nothing else writes the replayed tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wxreg.canonical import canonical_json

Row = Mapping[str, Any]

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "runs": ("id",),
    "artifacts": ("sha256", "path"),
    "edges": ("child", "parent", "role"),
    "forecasts": ("number",),
}
"""The replayed tables and their primary keys."""


@dataclass(frozen=True)
class Put:
    """Write a whole row, in place of one with the same key."""

    table: str
    row: Row

    @property
    def key(self) -> tuple[Any, ...]:
        """The primary key of the row."""
        return tuple(self.row[name] for name in KEYS[self.table])


@dataclass(frozen=True)
class Update:
    """Change some columns of the row with that key."""

    table: str
    key: tuple[Any, ...]
    values: Row


Change = Put | Update


def changes(kind: str, at: str, data: Row) -> tuple[Change, ...]:
    """The changes that an event of this kind makes; ``at`` is its time."""
    return tuple(_RULES[kind](at, data))


def text(value: object) -> str:
    """A JSON value as the tables keep it."""
    return canonical_json(value).decode()


def _run_began(at: str, data: Row) -> Iterator[Change]:
    run = {**data["run"], "state": "begun", "began": at, "ended": None, "outcome": {}}
    yield Put("runs", _run_row(run))
    for parent, role in data["inputs"].items():
        yield _edge(parent, data["run"]["id"], role)


def _run_running(at: str, data: Row) -> Iterator[Change]:
    yield Update("runs", (data["id"],), {"state": "running"})


def _run_ended(at: str, data: Row) -> Iterator[Change]:
    values = {"state": data["state"], "ended": at, "outcome": text(data["outcome"])}
    yield Update("runs", (data["id"],), values)


def _run_restored(at: str, data: Row) -> Iterator[Change]:
    yield Put("runs", _run_row(data["run"]))
    for parent, role in data["inputs"].items():
        yield _edge(parent, data["run"]["id"], role)


def _artifact_registered(at: str, data: Row) -> Iterator[Change]:
    artifact = data["artifact"]
    mtime_ns = _integer(artifact["mtime_ns"])
    yield Put("artifacts", {**artifact, "mtime_ns": mtime_ns, "details": text(artifact["details"])})
    if artifact["run"] is not None:
        yield _edge(artifact["run"], artifact["sha256"], "output")
    for source, role in data["sources"].items():
        yield _edge(source, artifact["sha256"], role)


def _artifact_seen(at: str, data: Row) -> Iterator[Change]:
    values = {"mtime_ns": _integer(data["mtime_ns"]), "removed": None}
    yield Update("artifacts", (data["sha256"], data["path"]), values)


def _artifact_removed(at: str, data: Row) -> Iterator[Change]:
    yield Update("artifacts", (data["sha256"], data["path"]), {"removed": at})


def _forecast_indexed(at: str, data: Row) -> Iterator[Change]:
    yield Put("forecasts", dict(data))


def _edge(parent: str, child: str, role: str) -> Put:
    return Put("edges", {"child": child, "parent": parent, "role": role})


def _integer(value: int | str | None) -> int | None:
    """Canonical JSON writes integers beyond 2^53, such as times in nanoseconds, as text."""
    return None if value is None else int(value)


def _run_row(run: Row) -> Row:
    written = {name: text(run[name]) for name in ("owner", "details", "documents", "outcome")}
    return {**run, **written}


_RULES: Final[Mapping[str, Callable[[str, Row], Iterator[Change]]]] = {
    "run-began": _run_began,
    "run-running": _run_running,
    "run-ended": _run_ended,
    "run-restored": _run_restored,
    "artifact-registered": _artifact_registered,
    "artifact-seen": _artifact_seen,
    "artifact-removed": _artifact_removed,
    "forecast-indexed": _forecast_indexed,
}
