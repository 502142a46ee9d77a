"""From a sample request to a forecast: find the checkpoint, pin it, and carry the plan out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.layout import Layout
from wxreg.data.forecast_files import export_netcdf
from wxreg.errors import Incompatible, NotFound
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Draft, resolve
from wxreg.runs.cases import case_times
from wxreg.runs.sampling import Sampled, SampleOptions, load_weights_of, sample
from wxreg.specs.plan import SamplePlan, Selection


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
    cases = case_times(library, plan)
    weights = load_weights_of(library, plan, checkpoint, run)
    options = SampleOptions(None if netcdf else out, accelerator, quiet)
    sampled = sample(library, ledger, plan, weights, options, cases)
    if not netcdf:
        return plan, sampled, None
    target = out or sampled.forecast.with_suffix(".nc")
    export_netcdf(sampled.forecast, target)
    return plan, sampled, target


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
