"""Whether the stores of an evaluation are all there, looked at before any field is read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from wxreg.artifacts.layout import record_beside
from wxreg.artifacts.sealing import read_seal
from wxreg.data.shards import damaged_shards
from wxreg.errors import IntegrityError

_NAMED: Final = 5
"""Damaged shards that are named of one store; more are counted."""


def byte_findings(store: Path) -> Iterator[str]:
    """Shards that were cut short, and bytes that are missing against the sealed record."""
    damaged = damaged_shards(store)
    for shard in islice(damaged, _NAMED):
        yield f"{store.name}: {shard.relative_to(store)} is truncated or damaged"
    left = sum(1 for _ in damaged)
    if left:
        yield f"{store.name}: {left} more shards are truncated or damaged"
    if not record_beside(store).is_file():
        return
    try:
        sealed = read_seal(store).bytes
    except IntegrityError as error:
        yield f"{store.name}: {error.message}"
        return
    held = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    if held != sealed:
        yield f"{store.name}: it holds {held} bytes, and {sealed} bytes were sealed"
