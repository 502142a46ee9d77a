"""What the ledger keeps of a forecast's fields, read from the index beside it."""

from __future__ import annotations

from pathlib import Path

from wxreg.artifacts.digests import merkle_root, prefix64
from wxreg.data.forecast_index import index_beside, read_index
from wxreg.ledger.records import ForecastIndex


def forecast_index(path: Path) -> ForecastIndex | None:
    """The payload index of a forecast in the ledger's form; None where none lies beside it."""
    if not index_beside(path).is_file():
        return None
    entries = read_index(path)
    root = merkle_root(entry.digest for entry in entries)
    return ForecastIndex(root, root, tuple(prefix64(entry.digest) for entry in entries))
