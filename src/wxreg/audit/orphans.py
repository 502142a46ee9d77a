"""What lies in the workspace and in no record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wxreg.artifacts.layout import record_beside
from wxreg.audit.inventory import Inventory
from wxreg.findings import Finding

_PLACES = ("runs/*/checkpoints/*.safetensors", "forecasts/*.zarr", "forecasts/*.nc")


def orphan_findings(inventory: Inventory) -> Iterator[Finding]:
    """Checkpoints, forecasts and runs that the ledger does not know."""
    known = {one.path for one in inventory.artifacts}
    runs = {run.id for run in inventory.runs}
    under_way = {run.id for run in inventory.runs if run.ended is None}
    for path in _found(inventory.root):
        place = path.relative_to(inventory.root).as_posix()
        if place not in known and not under_way & {path.stem, path.parent.parent.name}:
            yield _orphan(place, sealed=record_beside(path).is_file())
    for file in sorted((inventory.root / "runs").glob("*/run.json")):
        if file.parent.name not in runs:
            yield _orphan(file.relative_to(inventory.root).as_posix(), sealed=True)


def _found(root: Path) -> Iterator[Path]:
    for pattern in _PLACES:
        yield from sorted(root.glob(pattern))


def _orphan(place: str, *, sealed: bool) -> Finding:
    if sealed:
        remedy = "it has a record: move the ledger aside and `reg log rebuild` to take it in"
        return Finding("warning", "REG-371", place, "the ledger does not know it", remedy)
    remedy = "nothing says what made it: delete it, or import it with its chain"
    return Finding("warning", "REG-371", place, "it has no record at all", remedy)
