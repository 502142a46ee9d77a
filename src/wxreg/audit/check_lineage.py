"""Is the lineage whole, and free of circles?"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from wxreg.audit.inventory import Inventory
from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.ledger.records import Edge


def lineage_findings(inventory: Inventory) -> Iterator[Finding]:
    """Every parent is known, every forecast has its checkpoint, nothing is its own ancestor."""
    yield from _circles(inventory.edges)
    known = {run.id for run in inventory.runs} | {one.sha256 for one in inventory.artifacts}
    known |= {run.plan for run in inventory.runs if run.plan}
    unknown = [edge for edge in inventory.edges if edge.parent not in known]
    if unknown:
        yield from _holes(inventory, unknown)
    yield from _without_maker(inventory)


def _circles(edges: tuple[Edge, ...]) -> Iterator[Finding]:
    parents = {edge.parent for edge in edges}
    graph: dict[str, set[str]] = {}
    for edge in edges:
        if edge.child in parents:  # what nothing was made from is in no circle
            graph.setdefault(edge.child, set()).add(edge.parent)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        shown = " → ".join(_shown(node) for node in error.args[1])
        remedy = "`reg log verify` shows who added the edge"
        yield Finding("error", "REG-570", shown, "this is its own ancestor", remedy)


def _holes(inventory: Inventory, unknown: list[Edge]) -> Iterator[Finding]:
    try:
        catalogued = inventory.statistics | set(inventory.versions)
    except RegError as error:
        yield Finding("error", error.code, str(error.where), error.message, "see `reg check`")
        return
    for edge in unknown:
        if edge.parent in catalogued:
            continue
        what = f"its {edge.role} {_shown(edge.parent)} is in no record here"
        if "checkpoint" in edge.role.split():
            remedy = "import the checkpoint with its chain: `reg import BUNDLE`"
            yield Finding("error", "REG-570", _shown(edge.child), what, remedy)
        else:
            remedy = "restore the catalog entry of that version or statistics from git"
            yield Finding("warning", "REG-370", _shown(edge.child), what, remedy)


def _without_maker(inventory: Inventory) -> Iterator[Finding]:
    """Forecasts and checkpoints that no run made, and runs that name no data."""
    children = {edge.child for edge in inventory.edges}
    remedy = "import it with its chain: `reg import BUNDLE`"
    for one in inventory.here:
        if one.kind in ("forecast", "checkpoint") and one.sha256 not in children:
            yield Finding("error", "REG-570", one.path, "no run is known to have made it", remedy)
    for run in inventory.runs:
        if run.kind in ("train", "sample") and run.id not in children:
            yield Finding("error", "REG-570", run.id, "the run names nothing it read", remedy)


def _shown(node: str) -> str:
    return short(node) if len(node) == 64 else node
