"""The verified records of a model: what a card may say and a release may hold.

Nothing is believed because it is written down: the checkpoint, the plan and every score file
are read again and compared with the ledger before a number of them is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.checkpoint_file import Checkpoint, read_checkpoint
from wxreg.artifacts.digests import file_digest, tree_digest
from wxreg.artifacts.layout import Layout
from wxreg.canonical import short
from wxreg.errors import IntegrityError, NotFound
from wxreg.ledger import queries
from wxreg.ledger.lineage import descendants
from wxreg.ledger.records import Head, RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.choosing import choose_training
from wxreg.specs.plan import TrainPlan


@dataclass(frozen=True)
class Evaluation:
    """One finished evaluation of a forecast that this checkpoint made."""

    run: RunRecord
    digest: str
    """The tree digest of the score folder, which was read again."""
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """One finished training with its checkpoint and the evaluations of its forecasts."""

    run: RunRecord
    plan: TrainPlan
    inputs: Mapping[str, str]
    checkpoint: Path
    sha256: str
    numbers: int
    """How many numbers the weights are."""
    metadata: Mapping[str, Any]
    evaluations: tuple[Evaluation, ...]
    head: Head

    @property
    def model(self) -> str:
        """The registry entry."""
        return self.plan.about.model


def gather(library: Library, ledger: Ledger, model: str, run_id: str | None = None) -> Evidence:
    """The evidence of one training of ``model``; ``choose_training`` says which is meant."""
    run = choose_training(ledger, model, run_id).run
    sha256 = str(run.outcome["checkpoint"])
    path = Layout(library.root).checkpoint(run.id, checkpoint_name(run))
    file = _checked(path, sha256)
    body = queries.run_json(ledger, run.id)
    return Evidence(
        run=run,
        plan=_plan(run, body, file),
        inputs=body["inputs"],
        checkpoint=path,
        sha256=sha256,
        numbers=sum(math.prod(tensor.shape) for tensor in file.tensors.values()),
        metadata=file.metadata,
        evaluations=_evaluations(library, ledger, sha256),
        head=ledger.head(),
    )


def checkpoint_name(run: RunRecord) -> str:
    """The name of a run's checkpoint: ``best`` where best and last are the same weights."""
    names = run.outcome["checkpoints"]
    return min(str(name) for name in names if names[name] == run.outcome["checkpoint"])


def _checked(path: Path, sha256: str) -> Checkpoint:
    if not path.is_file():
        hint = "restore it with `dvc pull`, or train again"
        raise NotFound("REG-301", "the checkpoint file is gone", where=str(path), hint=hint)
    if file_digest(path) != sha256:
        raise _differs(path, f"these bytes are not the checkpoint {short(sha256)} of the ledger")
    return read_checkpoint(path)


def _plan(run: RunRecord, body: Mapping[str, Any], file: Checkpoint) -> TrainPlan:
    plan = TrainPlan.model_validate_json(body["documents"]["plan"])
    if not (plan.digest() == run.plan == file.metadata.get("plan_digest", run.plan)):
        raise _differs(run.id, "the plan of the run, of the ledger and of the checkpoint differ")
    return plan


def _evaluations(library: Library, ledger: Ledger, sha256: str) -> tuple[Evaluation, ...]:
    """The newest evaluation of each protocol whose scores are here."""
    below = {edge.child for edge in descendants(ledger, sha256)}
    newest: dict[str, Evaluation] = {}
    for run in queries.runs(ledger, kind="evaluate", state="finished"):
        if run.id in below and Layout(library.root).scores(run.id).is_dir():
            found = _evaluation(library, run)
            newest.setdefault(str(found.body["protocol_digest"]), found)
    return tuple(newest.values())


def _evaluation(library: Library, run: RunRecord) -> Evaluation:
    folder = Layout(library.root).scores(run.id)
    digest = tree_digest(folder).digest
    if digest != run.outcome.get("scores"):
        raise _differs(folder, "the scores are not those that the evaluation sealed")
    return Evaluation(run, digest, json.loads((folder / "scores.json").read_text("utf-8")))


def _differs(where: object, what: str) -> IntegrityError:
    hint = "`reg audit` says what else was changed; nothing of it is published"
    return IntegrityError("REG-500", what, where=str(where), hint=hint)
