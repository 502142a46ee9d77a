"""Reading and writing single rows, inside a transaction that the store has opened."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from wxreg.errors import Conflict, NotFound
from wxreg.ledger.changes import KEYS, Change, Put
from wxreg.ledger.records import ENDED, Head, Owner
from wxreg.ledger.tables import TABLES

_SIGN: Final = 1 << 63


def read_head(connection: Connection) -> Head:
    """The end of the log."""
    table = TABLES["events"]
    last = select(table.c.sequence, table.c.hash).order_by(table.c.sequence.desc()).limit(1)
    row = connection.execute(last).first()
    return Head() if row is None else Head(row.sequence, row.hash)


def must_be_new(connection: Connection, run: str) -> None:
    """Refuse the id of a run that the ledger has."""
    if _state(connection, run) is not None:
        raise Conflict("REG-621", f"the ledger has a run {run!r} already")


def must_be_open(connection: Connection, run: str) -> None:
    """Refuse a run that is unknown or has ended."""
    state = _state(connection, run)
    if state is None:
        raise NotFound("REG-320", f"the ledger has no run {run!r}")
    if state in ENDED:
        raise Conflict("REG-622", f"run {run} is {state} already", hint="start a new run")


def must_be_registered(connection: Connection, sha256: str, path: str) -> None:
    """Refuse an artifact that was never registered at that place."""
    table = TABLES["artifacts"]
    known = select(table.c.kind).where(table.c.sha256 == sha256, table.c.path == path)
    if connection.execute(known).first() is None:
        raise NotFound("REG-321", f"the ledger has no artifact {sha256[:12]} at {path}")


def open_runs(connection: Connection) -> list[tuple[str, Owner]]:
    """The runs that have not ended, with their processes."""
    table = TABLES["runs"]
    unfinished = select(table.c.id, table.c.owner).where(table.c.state.in_(("begun", "running")))
    rows = connection.execute(unfinished.order_by(table.c.id))
    return [(row.id, Owner(**json.loads(row.owner))) for row in rows]


def keep_documents(connection: Connection, texts: Iterable[str]) -> None:
    """Store each text once, under its SHA-256."""
    table = TABLES["documents"]
    for text in texts:
        sha256 = text_digest(text)
        known = select(table.c.sha256).where(table.c.sha256 == sha256)
        if connection.execute(known).first() is None:
            connection.execute(insert(table).values(sha256=sha256, text=text))


def forecast_number(connection: Connection, sha256: str) -> tuple[int, bool]:
    """The number of a forecast's payload index, and whether it is new."""
    table = TABLES["forecasts"]
    known = select(table.c.number).where(table.c.sha256 == sha256)
    number = connection.execute(known).scalar()
    if number is not None:
        return int(number), False
    highest = connection.execute(select(func.max(table.c.number))).scalar()
    return (highest or 0) + 1, True


def carry_out(connection: Connection, change: Change) -> None:
    """Make one change of an event in the database."""
    table = TABLES[change.table]
    pairs = zip(KEYS[change.table], change.key, strict=True)
    row = and_(*(table.c[name] == value for name, value in pairs))
    if isinstance(change, Put):
        connection.execute(delete(table).where(row))
        connection.execute(insert(table).values(**change.row))
    else:
        connection.execute(update(table).where(row).values(**change.values))


def text_digest(text: str) -> str:
    """The SHA-256 of a document."""
    return hashlib.sha256(text.encode()).hexdigest()


def signed(prefix: int) -> int:
    """An unsigned 64-bit prefix as the signed integer that databases keep."""
    return prefix - 2 * _SIGN if prefix >= _SIGN else prefix


def prefixes_digest(prefixes: Iterable[int]) -> str:
    """The SHA-256 of a forecast's sorted signed prefixes: holds the payload rows to the log."""
    total = hashlib.sha256()
    for prefix in prefixes:
        total.update(struct.pack("<q", prefix))
    return total.hexdigest()


def _state(connection: Connection, run: str) -> str | None:
    table = TABLES["runs"]
    return connection.execute(select(table.c.state).where(table.c.id == run)).scalar()
