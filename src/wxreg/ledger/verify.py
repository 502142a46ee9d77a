"""`reg log verify`: does the history hold, and do the tables say what the history says?

The chain of hashes shows changed events; a head printed earlier shows lost ones; carrying the
events out again in memory shows edited, added and deleted rows of every other table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, select

from wxreg.findings import Finding
from wxreg.ledger.changes import KEYS, Put, Row, changes
from wxreg.ledger.log import broken, chain_faults, clock_faults, parsed
from wxreg.ledger.records import Event, Head
from wxreg.ledger.rows import prefixes_digest
from wxreg.ledger.store import Ledger
from wxreg.ledger.tables import TABLES

Key = tuple[Any, ...]
Replay = Mapping[str, dict[Key, Row]]
_REMEDY: Final = "find out who edited the database, then `reg log rebuild`"


@dataclass(frozen=True)
class Verification:
    """What was found; without errors the ledger holds up to ``head``."""

    head: Head
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; warnings leave the history whole."""
        return all(finding.severity != "error" for finding in self.findings)


def verify(ledger: Ledger, heads: Iterable[Head] = ()) -> Verification:
    """Check the whole ledger, and that it still holds every one of the earlier ``heads``."""
    with ledger.reading() as connection:
        findings = list(_file_faults(connection))
        events = _events(connection)
        findings += chain_faults(events)
        findings += clock_faults(events)
        findings += _lost_heads(events, heads)
        replay = _replayed(events, findings)
        for name in KEYS:
            findings += _row_faults(connection, name, replay[name])
        findings += _document_faults(connection, replay)
        findings += _payload_faults(connection, replay["forecasts"])
    last = events[-1] if events else None
    return Verification(Head(last.sequence, last.hash) if last else Head(), tuple(findings))


def _events(connection: Connection) -> list[Event]:
    table = TABLES["events"]
    rows = connection.execute(select(table).order_by(table.c.sequence))
    return [Event(**row._mapping) for row in rows]


def _file_faults(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield _differs("the database file", said)


def _lost_heads(events: list[Event], heads: Iterable[Head]) -> Iterator[Finding]:
    hashes = {event.sequence: event.hash for event in events}
    for head in sorted(set(heads)):
        if head.sequence and hashes.get(head.sequence) != head.hash:
            what = f"the log once ended at {head}, and no longer holds that event"
            yield Finding("error", "REG-522", f"event {head.sequence}", what, _REMEDY)


def _replayed(events: list[Event], findings: list[Finding]) -> Replay:
    replay: Replay = {name: {} for name in KEYS}
    for event in events:
        try:
            _carry_out(replay, parsed(event))
        except (KeyError, TypeError, ValueError, AttributeError):
            findings.append(broken(event.sequence, "the text is no event that wxreg writes"))
    return replay


def _carry_out(replay: Replay, body: Mapping[str, Any]) -> None:
    for change in changes(body["kind"], body["at"], body["data"]):
        rows = replay[change.table]
        if isinstance(change, Put):
            rows[change.key] = change.row
        else:
            rows[change.key] = {**rows[change.key], **change.values}


def _row_faults(connection: Connection, name: str, expected: dict[Key, Row]) -> Iterator[Finding]:
    missing = dict(expected)
    for row in connection.execute(select(TABLES[name])):
        key = tuple(row._mapping[column] for column in KEYS[name])
        told = missing.pop(key, None)
        if told is None:
            yield _differs(_place(name, key), "this row comes from no event")
            continue
        for column, value in row._mapping.items():
            if told.get(column) != value:
                what = f"{column} is {value!r}, and the log says {told.get(column)!r}"
                yield _differs(_place(name, key), what)
    for key in missing:
        yield _differs(_place(name, key), "the log has this row, the table does not")


def _document_faults(connection: Connection, replay: Replay) -> Iterator[Finding]:
    wanted = {
        sha256
        for run in replay["runs"].values()
        for sha256 in json.loads(run["documents"]).values()
    }
    missing = set(wanted)
    for row in connection.execute(select(TABLES["documents"])):
        missing.discard(row.sha256)
        if row.sha256 not in wanted:
            yield _differs(f"documents {row.sha256[:12]}", "no run names this text")
        if hashlib.sha256(row.text.encode("utf-8", "surrogateescape")).hexdigest() != row.sha256:
            yield _differs(f"documents {row.sha256[:12]}", "the text does not have this SHA-256")
    for sha256 in sorted(missing):
        yield _differs(f"documents {sha256[:12]}", "a run names this text, and it is not here")


def _payload_faults(connection: Connection, forecasts: dict[Key, Row]) -> Iterator[Finding]:
    table = TABLES["payload"]
    rows = connection.execute(
        select(table.c.forecast, table.c.prefix).order_by(table.c.forecast, table.c.prefix)
    )
    unseen = dict(forecasts)
    for number, group in groupby(rows, key=lambda row: row.forecast):
        told = unseen.pop((number,), None)
        if told is None:
            yield _differs(f"payload {number}", "these fields belong to no forecast of the log")
        elif prefixes_digest(row.prefix for row in group) != told["prefixes"]:
            yield _differs(f"payload {number}", f"not the fields of forecast {told['sha256'][:12]}")
    for (number,), told in unseen.items():
        if told["fields"]:
            what = f"the fields of forecast {told['sha256'][:12]} are missing"
            yield _differs(f"payload {number}", what)


def _place(name: str, key: Key) -> str:
    return f"{name} {' '.join(str(part)[:40] for part in key)}"


def _differs(where: str, what: str) -> Finding:
    return Finding("error", "REG-521", where, what, _REMEDY)
