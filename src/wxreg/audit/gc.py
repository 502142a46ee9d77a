"""``reg gc``: frees space by policy, and never takes what something kept still stands on."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import storage_errors
from wxreg.audit.impact import path_between
from wxreg.audit.inventory import Inventory
from wxreg.audit.kept import kept, published
from wxreg.canonical import short
from wxreg.errors import Conflict
from wxreg.ids import inside
from wxreg.ledger import lineage
from wxreg.ledger.records import ArtifactRecord
from wxreg.ledger.store import Ledger


@dataclass(frozen=True)
class Policy:
    """What may go: bytes of these kinds that are at least this old."""

    kinds: tuple[str, ...] = ("forecast",)
    older: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Freed:
    """One artifact that can go, or that must stay and why."""

    path: str
    kind: str
    sha256: str
    bytes: int
    stays: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The row under stable keys."""
        return asdict(self)


def plan_gc(inventory: Inventory, policy: Policy, now: datetime) -> tuple[Freed, ...]:
    """What the policy names, each with the reason if it has to stay; nothing is deleted."""
    needed = _needed(inventory)
    rows = []
    for record in inventory.here:
        created = datetime.fromisoformat(record.created).astimezone(UTC)
        if record.kind not in policy.kinds or now - created < policy.older:
            continue
        if not (inventory.root / record.path).exists():
            continue
        way = needed.get(record.sha256)
        stays = _reason(way) if way else _used_here(inventory, record, policy)
        rows.append(Freed(record.path, record.kind, record.sha256, record.bytes, stays))
    return tuple(rows)


def chosen(inventory: Inventory, nodes: list[str]) -> tuple[Freed, ...]:
    """The places of named artifacts; refused if something kept or published is made from one."""
    needed = _needed(inventory)
    for node in nodes:
        if node in needed:
            hint = "withdraw what stands on it first; `reg impact` lists all of it"
            raise Conflict("REG-670", _reason(needed[node]), where=short(node), hint=hint)
    return tuple(
        Freed(record.path, record.kind, record.sha256, record.bytes)
        for record in inventory.here
        if record.sha256 in nodes and (inventory.root / record.path).exists()
    )


def free(root: Path, ledger: Ledger, rows: tuple[Freed, ...]) -> int:
    """Delete the bytes of what may go; records stay, and the ledger says it was on purpose."""
    total = 0
    for row in rows:
        if row.stays is not None:
            continue
        path = inside(root, row.path, "artifact")
        with storage_errors(path):
            ledger.removed(row.sha256, row.path)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        total += row.bytes
    return total


def _needed(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Everything that something kept or published is, or is made from, with the chain between."""
    held = kept(inventory.root, inventory.artifacts)
    held |= published(inventory.runs, inventory.artifacts, inventory.edges)
    found: dict[str, tuple[str, ...]] = {}
    for sha256 in sorted(held):
        found[sha256] = (sha256,)
        for edge in lineage.ancestors(inventory.ledger, sha256):
            if edge.parent not in found:
                found[edge.parent] = path_between(inventory.ledger, edge.parent, sha256)
    return found


def _used_here(inventory: Inventory, record: ArtifactRecord, policy: Policy) -> str | None:
    """A checkpoint stays while a forecast or score made from it is here and is not freed too."""
    others = {one.sha256: one for one in inventory.here if one.kind not in policy.kinds}
    below = {edge.child for edge in lineage.descendants(inventory.ledger, record.sha256)}
    used = sorted(others[node].path for node in below & set(others))
    return f"{used[0]} was made from it" if used else None


def _reason(way: tuple[str, ...]) -> str:
    if len(way) == 1:
        return "it is kept or published"
    shown = " → ".join(short(node) if len(node) == 64 else node for node in way)
    return f"something kept or published was made from it: {shown}"
