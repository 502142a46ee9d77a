"""Walks through the graph, and forecasts found by their fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, select, text

from wxreg.ledger.records import Edge, Holder, Lookup, Payload
from wxreg.ledger.rows import signed
from wxreg.ledger.store import Ledger
from wxreg.ledger.tables import TABLES

COMMON: Final = 200
"""A field that more forecasts hold than this is too common to find candidates by."""

_SHOWN: Final = 1000

_WALK: Final = """
WITH RECURSIVE walk(node) AS (
    SELECT CAST(:node AS VARCHAR)
    UNION
    SELECT edges.{far} FROM edges JOIN walk ON edges.{near} = walk.node
)
SELECT edges.parent, edges.child, edges.role FROM edges JOIN walk ON edges.{near} = walk.node
"""
_UP: Final = text(_WALK.format(near="child", far="parent"))
_DOWN: Final = text(_WALK.format(near="parent", far="child"))


def ancestors(ledger: Ledger, node: str) -> tuple[Edge, ...]:
    """Every edge on the ways up from a run or artifact to what it was made from."""
    with ledger.reading() as connection:
        return tuple(sorted(Edge(*row) for row in connection.execute(_UP, {"node": node})))


def descendants(ledger: Ledger, node: str) -> tuple[Edge, ...]:
    """Every edge on the ways down from a run or artifact to what was made from it."""
    with ledger.reading() as connection:
        return tuple(sorted(Edge(*row) for row in connection.execute(_DOWN, {"node": node})))


def forecasts_holding(ledger: Ledger, prefixes: Iterable[int]) -> Lookup:
    """The forecasts that hold fields with these 64-bit digest prefixes, best match first.

    Rare fields find the candidates; common ones only confirm them, so that a million forecasts
    that share a constant field cost no more than a thousand.
    """
    asked = sorted({signed(prefix) for prefix in prefixes})
    matched: Counter[int] = Counter()
    common: list[int] = []
    with ledger.reading() as connection:
        for prefix in asked:
            found = _holders(connection, prefix)
            if len(found) > COMMON:
                common.append(prefix)
            else:
                matched.update(found)
        for prefix in common:
            matched.update(_holders_among(connection, prefix, list(matched)))
        holders = _named(connection, matched)
    return Lookup(len(asked), len(common), holders)


def payload_held(ledger: Ledger, sha256: str, prefixes: Iterable[int]) -> Payload | None:
    """What is kept of a forecast's payload, and which of these prefixes are in it."""
    table, payload = TABLES["forecasts"], TABLES["payload"]
    asked = {signed(prefix): prefix for prefix in prefixes}
    keys = sorted(asked)
    with ledger.reading() as connection:
        row = connection.execute(select(table).where(table.c.sha256 == sha256)).first()
        if row is None:
            return None
        held: set[int] = set()
        for first in range(0, len(keys), _SHOWN):
            part = payload.c.prefix.in_(keys[first : first + _SHOWN])
            query = select(payload.c.prefix).where(part & (payload.c.forecast == row.number))
            held.update(asked[found.prefix] for found in connection.execute(query))
    return Payload(row.root, row.fields, frozenset(held))


def _holders(connection: Connection, prefix: int) -> list[int]:
    table = TABLES["payload"]
    query = select(table.c.forecast).where(table.c.prefix == prefix).limit(COMMON + 1)
    return [row.forecast for row in connection.execute(query)]


def _holders_among(connection: Connection, prefix: int, candidates: list[int]) -> list[int]:
    table = TABLES["payload"]
    holding = (table.c.prefix == prefix) & table.c.forecast.in_(candidates)
    return [row.forecast for row in connection.execute(select(table.c.forecast).where(holding))]


def _named(connection: Connection, matched: Counter[int]) -> tuple[Holder, ...]:
    best = dict(matched.most_common(_SHOWN))
    table = TABLES["forecasts"]
    query = select(table.c.number, table.c.sha256).where(table.c.number.in_(list(best)))
    holders = (Holder(row.sha256, best[row.number]) for row in connection.execute(query))
    return tuple(sorted(holders, key=lambda holder: (-holder.matched, holder.sha256)))
