"""From a planned sampling to a forecast, in the format that was asked for."""

from __future__ import annotations

from pathlib import Path

from wxreg.data.forecast_files import export_netcdf
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.runs.sampling.cases import case_starts
from wxreg.runs.sampling.plan import planned_sampling
from wxreg.runs.sampling.sample import Sampled, SampleOptions, sample
from wxreg.runs.sampling.weights import load_weights_of
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
    planned = planned_sampling(library, ledger, request, checkpoint)
    plan = planned.plan
    cases = case_starts(library, plan)
    weights = load_weights_of(
        library, plan, planned.checkpoint, planned.training_run, planned.members
    )
    options = SampleOptions(None if netcdf else out, accelerator, quiet)
    sampled = sample(library, ledger, plan, weights, options, cases)
    if not netcdf:
        return plan, sampled, None
    target = out or sampled.forecast.with_suffix(".nc")
    export_netcdf(sampled.forecast, target)
    return plan, sampled, target
