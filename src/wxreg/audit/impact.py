"""``reg impact``: everything that came from an artifact, a run or a dataset version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wxreg.errors import NotFound
from wxreg.ids import DataRef
from wxreg.ledger import lineage, queries
from wxreg.ledger.records import Edge
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library


@dataclass(frozen=True)
class Touched:
    """One run or artifact downstream, and the edge that leads to it."""

    node: str
    kind: str
    """What it is: ``train run``, ``checkpoint``, ``forecast``."""
    path: str | None
    made_from: str
    role: str

    def as_json(self) -> dict[str, Any]:
        """The row under stable keys."""
        return asdict(self)


def node_of(root: Path, ledger: Ledger, name: str) -> str:
    """The node that a path, a run, ``hrrr@mini-1`` or the beginning of a digest means."""
    if "@" in name and not Path(name).exists():
        return Library(root).version(DataRef.parse(name)).content
    if queries.runs(ledger, id=name):
        return name
    place = Path(name).resolve()
    if place.is_relative_to(root.resolve()):
        found = queries.artifacts_at(ledger, place.relative_to(root.resolve()).as_posix())
        if found:
            return found[-1].sha256
    try:
        return queries.full_digest(ledger, name)
    except NotFound:
        if any(edge.parent == name for edge in lineage.descendants(ledger, name)):
            return name  # statistics and dataset versions stand in edges only
        raise


def impact(ledger: Ledger, node: str) -> tuple[Touched, ...]:
    """What lies downstream of a node, nearest first."""
    edges = lineage.descendants(ledger, node)
    found: list[Touched] = []
    seen, layer = {node}, [node]
    while layer:
        following = sorted(edge for edge in edges if edge.parent in layer)
        fresh = [edge for edge in following if edge.child not in seen]
        for edge in fresh:
            if edge.child not in seen:
                seen.add(edge.child)
                found.append(_touched(ledger, edge))
        layer = [edge.child for edge in fresh]
    return tuple(found)


def _touched(ledger: Ledger, edge: Edge) -> Touched:
    runs = queries.runs(ledger, id=edge.child)
    if runs:
        return Touched(edge.child, f"{runs[0].kind} run", None, edge.parent, edge.role)
    places = queries.artifacts_of(ledger, edge.child)
    kind = places[0].kind if places else "unknown"
    return Touched(edge.child, kind, places[0].path if places else None, edge.parent, edge.role)


def path_between(ledger: Ledger, ancestor: str, descendant: str) -> tuple[str, ...]:
    """One way down from an ancestor to a descendant; empty if there is none."""
    came: dict[str, str] = {}
    edges = lineage.ancestors(ledger, descendant)
    layer = [descendant]
    while layer and ancestor not in came:
        step = [edge for edge in edges if edge.child in layer and edge.parent not in came]
        came.update({edge.parent: edge.child for edge in step})
        layer = [edge.parent for edge in step]
    if ancestor not in came:
        return ()
    way = [ancestor]
    while way[-1] != descendant:
        way.append(came[way[-1]])
    return tuple(way)
