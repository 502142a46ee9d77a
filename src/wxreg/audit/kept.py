"""What must stay: kept with a DVC pin, or published."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from wxreg.artifacts.dvc import CHECKPOINTS
from wxreg.ledger.records import ArtifactRecord, Edge, RunRecord

PUBLICATION: Final = "publication"
"""The kind of an artifact that was published; a run of kind ``publish`` publishes its inputs."""


def published(
    runs: Iterable[RunRecord], artifacts: Iterable[ArtifactRecord], edges: Iterable[Edge]
) -> frozenset[str]:
    """The SHA-256 of all that was published."""
    publishing = {run.id for run in runs if run.kind == "publish"}
    found = {one.sha256 for one in artifacts if one.kind == PUBLICATION}
    return frozenset(found | {edge.parent for edge in edges if edge.child in publishing})


def kept(root: Path, artifacts: Iterable[ArtifactRecord]) -> frozenset[str]:
    """The SHA-256 of the checkpoints of runs that ``reg keep`` pinned."""
    runs = {pin.stem for pin in (root / "data" / CHECKPOINTS).glob("*.dvc")}
    return frozenset(one.sha256 for one in artifacts if one.run in runs and one.run)
