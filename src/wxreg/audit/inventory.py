"""All that the ledger knows, read once for the checks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord, Edge, Head, RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.specs.dataset import Version


@dataclass(frozen=True)
class Inventory:
    """A workspace with the runs, artifacts and edges of its ledger."""

    root: Path
    ledger: Ledger
    full: bool
    head: Head
    runs: tuple[RunRecord, ...]
    artifacts: tuple[ArtifactRecord, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, root: Path, ledger: Ledger, *, full: bool) -> Inventory:
        """Read it."""
        runs, artifacts = queries.runs(ledger), queries.artifacts(ledger)
        return cls(root, ledger, full, ledger.head(), runs, artifacts, queries.edges(ledger))

    @cached_property
    def library(self) -> Library:
        """The catalog and registry."""
        return Library(self.root)

    @cached_property
    def here(self) -> tuple[ArtifactRecord, ...]:
        """The artifacts that were not removed on purpose."""
        return tuple(one for one in self.artifacts if one.removed is None)

    @cached_property
    def versions(self) -> dict[str, Version]:
        """Every dataset version of the catalog, by its content."""
        refs = (
            DataRef(dataset, name)
            for dataset in self.library.ids("dataset")
            for name in self.library.versions(dataset)
        )
        return {
            version.content: version for ref in refs for version in (self.library.version(ref),)
        }

    @cached_property
    def statistics(self) -> frozenset[str]:
        """The digests of all statistics files of the catalog."""
        found = set()
        for path in sorted((self.root / "catalog" / "stats").glob("*/*/*.yaml")):
            ref = DataRef(path.parent.parent.name, path.parent.name)
            known = self.library.statistics(ref, path.stem)
            if known is not None:
                found.add(known.digest())
        return frozenset(found)
