"""From a sample request to the plan that is carried out: its checkpoints found and pinned.

Nothing heavy is loaded here, so that what is wrong with a request is told at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from wxreg.artifacts.digests import file_digest
from wxreg.errors import Incompatible
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Draft, resolve
from wxreg.runs.finding import member_checkpoints, trained_checkpoint
from wxreg.specs.plan import SamplePlan


@dataclass(frozen=True)
class PlannedSampling:
    """A plan whose selection has become a checkpoint, and the files it means."""

    plan: SamplePlan
    checkpoint: Path | None = None
    training_run: str | None = None
    members: tuple[Path, ...] = ()
    """The checkpoints of a checkpoint ensemble."""


def _requested_plan(library: Library, request: Request) -> SamplePlan:
    """The plan of a request, whose checkpoint may not be known yet."""
    found = resolve(library, request)
    if isinstance(found, Draft):
        commands = "; ".join(f"`{command}`" for command in found.commands)
        raise Incompatible(
            "REG-462", "this is a draft: its data have no version to pin", hint=commands or None
        )
    assert isinstance(found.plan, SamplePlan)
    return found.plan


def planned_sampling(
    library: Library, ledger: Ledger, request: Request, checkpoint: Path | None
) -> PlannedSampling:
    """Find and pin what a request leaves open: the checkpoint, and the members of an ensemble."""
    run = None
    if checkpoint is not None:
        request = replace(request, checkpoint=file_digest(checkpoint))
    plan = _requested_plan(library, request)
    if plan.selection is not None:
        run, checkpoint = trained_checkpoint(library, ledger, plan.selection, plan.about.model)
        plan = plan.model_copy(update={"checkpoint": file_digest(checkpoint), "selection": None})
    members: tuple[Path, ...] = ()
    if plan.sampling.strategy == "checkpoints" and checkpoint is not None:
        members = member_checkpoints(checkpoint.parent, plan)
        plan = plan.model_copy(update={"ensemble": tuple(map(file_digest, members))})
    return PlannedSampling(plan, checkpoint, run, members)
