"""From a sample request to a forecast: find the checkpoint, pin it, and carry the plan out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wxreg.artifacts.digests import file_digest
from wxreg.data.forecast_files import export_netcdf
from wxreg.errors import Incompatible
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Draft, resolve
from wxreg.runs.cases import case_starts
from wxreg.runs.checkpoint_ensembles import member_checkpoints
from wxreg.runs.finding import trained_checkpoint
from wxreg.runs.sampling import Sampled, SampleOptions, sample
from wxreg.runs.sampling_weights import load_weights_of
from wxreg.specs.plan import SamplePlan


def sample_request(
    library: Library,
    ledger: Ledger,
    request: Request,
    checkpoint: Path | None,
    *,
    out: Path | None = None,
    netcdf: bool = False,
    accelerator: str = "auto",
    quiet: bool = False,
) -> tuple[SamplePlan, Sampled, Path | None]:
    """The executed plan, the forecast, and its NetCDF export if one was asked for."""
    if checkpoint is not None:
        request = replace(request, checkpoint=file_digest(checkpoint))
    found = resolve(library, request)
    if isinstance(found, Draft) or not isinstance(found.plan, SamplePlan):
        raise Incompatible("REG-462", "this is a draft: its data have no version to pin")
    plan, run = found.plan, None
    if plan.selection is not None:
        run, checkpoint = trained_checkpoint(library, ledger, plan.selection, plan.about.model)
        plan = plan.model_copy(update={"checkpoint": file_digest(checkpoint), "selection": None})
    members: tuple[Path, ...] = ()
    if plan.sampling.strategy == "checkpoints" and checkpoint is not None:
        members = member_checkpoints(checkpoint.parent, plan)
        plan = plan.model_copy(update={"ensemble": tuple(file_digest(one) for one in members)})
    cases = case_starts(library, plan)
    weights = load_weights_of(library, plan, checkpoint, run, members)
    options = SampleOptions(None if netcdf else out, accelerator, quiet)
    sampled = sample(library, ledger, plan, weights, options, cases)
    if not netcdf:
        return plan, sampled, None
    target = out or sampled.forecast.with_suffix(".nc")
    export_netcdf(sampled.forecast, target)
    return plan, sampled, target
