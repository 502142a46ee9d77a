"""Finding the run or the checkpoint file that a plan or a person means; nothing heavy."""

from __future__ import annotations

from pathlib import Path

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.layout import Layout
from wxreg.errors import Incompatible, NotFound
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.specs.plan import SamplePlan, Selection


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


def member_checkpoints(folder: Path, plan: SamplePlan) -> tuple[Path, ...]:
    """The checkpoints of the last epochs, one for each member, in their order."""
    members = plan.sampling.members
    if plan.sampling.member_batch != members:
        raise Incompatible(
            "REG-461",
            f"a checkpoint ensemble makes its {members} members together",
            hint=f"--set sampling.member_batch={members}",
        )
    found = epoch_checkpoints(folder)
    if members > len(found):
        raise Incompatible(
            "REG-444",
            f"{members} members were asked, but there are {len(found)} checkpoints",
            where=str(folder),
            hint=f"ask for at most {len(found)}, or train more epochs with every_epoch",
        )
    return found[-members:]


def epoch_checkpoints(folder: Path) -> tuple[Path, ...]:
    """``epoch-1``, ``epoch-2`` … of one training."""
    found = folder.glob("epoch-*.safetensors")
    return tuple(sorted(found, key=lambda path: int(path.stem.removeprefix("epoch-"))))


def chosen_checkpoint(record: RunRecord) -> str:
    """The name of the checkpoint that a training chose; of equal ones the first."""
    named = record.outcome["checkpoints"].items()
    return next(str(name) for name, digest in named if digest == record.outcome["checkpoint"])


def reproducible_run(ledger: Ledger, run_id: str) -> RunRecord:
    """The record of a run that can be run again: a finished training or sampling."""
    record = queries.run(ledger, run_id)
    if record.kind not in ("train", "sample"):
        raise Incompatible(
            "REG-464",
            f"{run_id} is of kind {record.kind}; train and sample runs can be reproduced",
            hint="`reg evaluate` scores a forecast again",
        )
    if record.state != "finished":
        raise Incompatible(
            "REG-464",
            f"{run_id} is {record.state}; only a finished run has a result",
            hint="`reg list runs` shows which finished",
        )
    return record
