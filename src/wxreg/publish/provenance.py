"""What an export says of an artifact: the runs and things of its chain, and how they relate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.audit.chain import stored_plan
from wxreg.audit.members import Gathered
from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.ledger import lineage, queries
from wxreg.ledger.records import Edge, RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.specs.licence import Licence


@dataclass(frozen=True)
class Thing:
    """One artifact, dataset version, statistics file or plan, known by its digest."""

    digest: str
    kind: str
    name: str
    path: str | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Provenance:
    """The chain of one artifact as a graph."""

    subjects: tuple[str, ...]
    runs: tuple[RunRecord, ...]
    things: Mapping[str, Thing]
    edges: tuple[Edge, ...]
    licence: Licence | None
    """That of the model, where this workspace knows it."""

    @property
    def used(self) -> Iterator[Edge]:
        """What the runs read: ``parent`` is the thing, ``child`` the run."""
        runs = {run.id for run in self.runs}
        return (edge for edge in self.edges if edge.child in runs and edge.parent in self.things)

    @property
    def made(self) -> Iterator[Edge]:
        """What the runs made: ``parent`` is the run, ``child`` the thing."""
        runs = {run.id for run in self.runs}
        return (edge for edge in self.edges if edge.parent in runs and edge.child in self.things)

    @property
    def derived(self) -> Iterator[Edge]:
        """Things made from other things without a run between, such as an export."""
        return (
            edge for edge in self.edges
            if edge.parent in self.things and edge.child in self.things and edge.role != "plan"
        )  # fmt: skip


def provenance(root: Path, ledger: Ledger, chain: Gathered) -> Provenance:
    """Read the graph behind what was gathered."""
    runs = tuple(queries.run(ledger, name) for name in chain.runs)
    edges = {
        edge
        for subject in chain.subjects
        for edge in lineage.ancestors(ledger, subject.sha256)
        if {edge.parent, edge.child} <= chain.nodes
    }
    named = dict(_named(ledger, runs))
    names = {run.id for run in runs}
    digests = sorted(chain.nodes - names | {run.plan for run in runs if run.plan})
    things = {digest: _thing(ledger, digest, named) for digest in digests}
    subjects = tuple(sorted({one.sha256 for one in chain.subjects}))
    return Provenance(subjects, runs, things, tuple(sorted(edges)), _licence(root, runs))


def _named(ledger: Ledger, runs: tuple[RunRecord, ...]) -> Iterator[tuple[str, Thing]]:
    """Plans, dataset versions and statistics, as the plans of the runs call them."""
    for run in runs:
        plan = stored_plan(ledger, run)
        if run.plan:
            yield run.plan, Thing(run.plan, "plan", f"plan of {run.id}", f"runs/{run.id}/plan.json")
        for side in ("inputs", "targets", "truth"):
            yield from _stored(plan, side)


def _stored(plan: Mapping[str, Any], side: str) -> Iterator[tuple[str, Thing]]:
    store = plan.get(side)
    if not isinstance(store, dict):
        return
    dataset, _, version = str(store["dataset"]).partition("@")
    place = f"catalog/{dataset}/versions/{version}.yaml"
    yield store["content"], Thing(store["content"], "dataset-version", store["dataset"], place)
    digest = store.get("statistics")
    if digest:
        name = str(plan.get("about", {}).get("statistics", {}).get(side) or digest)
        place = f"catalog/stats/{name.replace('@', '/')}.yaml"
        yield digest, Thing(digest, "statistics", name, place)


def _thing(ledger: Ledger, digest: str, named: Mapping[str, Thing]) -> Thing:
    places = queries.artifacts_of(ledger, digest)
    if places:
        first = places[0]
        return Thing(digest, first.kind, first.path, first.path, first.bytes)
    return named.get(digest) or Thing(digest, "input", short(digest))


def _licence(root: Path, runs: tuple[RunRecord, ...]) -> Licence | None:
    models = sorted({str(run.details["model"]) for run in runs if run.details.get("model")})
    try:
        return Library(root).model(models[0]).licence if models else None
    except RegError:
        return None  # this workspace has the record, and not the entry
