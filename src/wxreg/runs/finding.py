"""Finding the file of a checkpoint that a plan or a person means."""

from __future__ import annotations

from pathlib import Path

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.layout import Layout
from wxreg.errors import NotFound
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.specs.plan import Selection


def trained_checkpoint(
    library: Library, ledger: Ledger, selection: Selection, model: str
) -> tuple[str, Path]:
    """The run and the file of the checkpoint that a selection means."""
    runs = [
        run for run in queries.runs_of_plan(ledger, selection.train_plan) if run.state == "finished"
    ]
    if not runs:
        raise NotFound(
            "REG-360",
            f"{model} has not been trained with this plan ({selection.train_plan[:12]})",
            hint=f"`reg train {model}` trains it; or name a checkpoint file",
        )
    run = runs[0]
    name = selection.rule.replace("=", "-")
    known = run.outcome.get("checkpoints", {})
    if name not in known:
        raise NotFound(
            "REG-360",
            f"{run.id} has no checkpoint {selection.rule!r}",
            hint=f"it has {', '.join(sorted(known))}",
        )
    path = Layout(library.root).checkpoint(run.id, name)
    if not path.is_file():
        raise NotFound("REG-301", "the checkpoint file is gone", where=str(path))
    return run.id, path


def checkpoint_of_digest(library: Library, ledger: Ledger, sha256: str) -> Path:
    """A file of this workspace that holds exactly that checkpoint."""
    for artifact in queries.artifacts_of(ledger, sha256):
        path = library.root / artifact.path
        if path.is_file() and file_digest(path) == sha256:
            return path
    raise NotFound("REG-360", f"no file here holds the checkpoint {sha256[:12]}")
