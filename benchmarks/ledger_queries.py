"""The ledger with 1,000,000 forecasts against one with 1,000: ancestors, and whence's lookup.

Each forecast has 100 fields, so the large ledger holds 100 million 64-bit prefixes.  It is made
synthetically (rows as the ledger writes them, without their events) with plain SQLite, once:
that takes about five minutes on two cores and 2.5 GB, and is kept in ``.reg/bench`` for later runs.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measure import Figure, paired, report

from wxreg.ledger.lineage import ancestors, forecasts_holding
from wxreg.ledger.store import Ledger

CACHE = Path(__file__).resolve().parent.parent / ".reg" / "bench"
LARGE, SMALL, FIELDS = 1_000_000, 1_000, 100
DRY = 42  # the prefix of a constant field that every forecast holds
CHECKPOINTS = 100


def main() -> list[Figure]:
    with prepared(LARGE) as large, prepared(SMALL) as small:
        return [
            compare("ledger_ancestors_1m_vs_1k", large, small, ask_ancestors),
            compare("ledger_payload_lookup_1m_vs_1k", large, small, ask_payload),
        ]


def compare(name: str, large: Ledger, small: Ledger, ask) -> Figure:  # type: ignore[no-untyped-def]
    """Ask both ledgers about the same spread of forecasts."""
    spread = range(0, SMALL, 50)
    pair = paired(
        lambda: [ask(large, number * (LARGE // SMALL)) for number in spread],
        lambda: [ask(small, number) for number in spread],
    )
    return pair.figure(name, 2.0)


def ask_ancestors(ledger: Ledger, number: int) -> None:
    assert len(ancestors(ledger, forecast(number))) == 6


def ask_payload(ledger: Ledger, number: int) -> None:
    """What whence asks: all fields of one file, among them one that every forecast holds."""
    wanted = [DRY, *(int(value) for value in prefixes(number, number + 1))]
    found = forecasts_holding(ledger, [value % 2**64 for value in wanted])
    assert found.full[0].sha256 == forecast(number)


def prepared(count: int) -> Ledger:
    """The ledger with that many forecasts, made if it is not in the cache."""
    place = CACHE / f"ledger-{count}-{FIELDS}.db"
    if not place.exists():
        began = time.perf_counter()
        part = place.with_suffix(".part")
        part.unlink(missing_ok=True)
        Ledger.open(part).close()
        with sqlite3.connect(part) as database:
            fill(database, count)
        database.close()
        part.replace(place)
        print(f"made {place.name}: {place.stat().st_size / 1e9:.2f} GB "
              f"in {time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    return Ledger.open(place)


def fill(database: sqlite3.Connection, count: int) -> None:
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.executemany("INSERT INTO edges (parent, child, role) VALUES (?, ?, ?)", edges(count))
    rows = ((number, forecast(number), "root", FIELDS + 1, "-") for number in range(count))
    database.executemany("INSERT INTO forecasts VALUES (?, ?, ?, ?, ?)", rows)
    database.executemany("INSERT INTO payload VALUES (?, ?)", payload(count))


def edges(count: int) -> Iterator[tuple[str, str, str]]:
    """Data and statistics → training runs → checkpoints → sampling runs → forecasts."""
    yield "data", "statistics", "source"
    for number in range(CHECKPOINTS):
        yield "data", f"train-{number}", "data"
        yield "statistics", f"train-{number}", "statistics"
        yield f"train-{number}", f"checkpoint-{number}", "output"
    for number in range(count):
        yield f"checkpoint-{number % CHECKPOINTS}", f"sample-{number}", "checkpoint"
        yield f"sample-{number}", forecast(number), "output"


def forecast(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def prefixes(begin: int, end: int) -> np.ndarray:
    """The signed prefixes of the forecasts from ``begin`` to ``end``: splitmix64 of a counter."""
    value = np.arange(begin * FIELDS, end * FIELDS, dtype=np.uint64)
    value = (value + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (value ^ (value >> np.uint64(31))).view(np.int64)


def payload(count: int) -> Iterator[tuple[int, int]]:
    """All payload rows in the order of their key, as a B-tree is built fastest."""
    values = prefixes(0, count)
    order = np.argsort(values, kind="stable")
    constant = ((DRY, number) for number in range(count))
    below = int(np.searchsorted(values, DRY, sorter=order))
    return itertools.chain(rows_of(values, order[:below]), constant, rows_of(values, order[below:]))


def rows_of(values: np.ndarray, order: np.ndarray) -> Iterator[tuple[int, int]]:
    for start in range(0, len(order), 1_000_000):
        chosen = order[start : start + 1_000_000]
        yield from zip(values[chosen].tolist(), (chosen // FIELDS).tolist(), strict=True)


if __name__ == "__main__":
    report(main())
