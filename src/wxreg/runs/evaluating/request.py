"""From a model, a checkpoint or a forecast to what is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from wxreg.artifacts.layout import Layout
from wxreg.data.forecast_files import open_forecast, read_claim
from wxreg.errors import IntegrityError, NotFound
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.runs.evaluating.asked import Evaluation
from wxreg.runs.evaluating.evaluate import Evaluated, evaluate
from wxreg.runs.sampling.request import sample_request
from wxreg.specs.plan import SamplePlan, StorePlan
from wxreg.specs.protocol import Protocol


@dataclass(frozen=True)
class EvaluateOptions:
    """What is asked for besides the forecast."""

    protocol: str | None = None
    """The protocol that the model names, if none is given."""
    baselines: tuple[str, ...] = ()
    against: DataRef | None = None
    """Another dataset version as truth, on the same grid."""
    scheduler: str | None = None
    """The address of a dask cluster to compute on."""
    quiet: bool = False


def evaluate_forecast(
    library: Library, ledger: Ledger, forecast: Path, options: EvaluateOptions
) -> Evaluated:
    """Score one forecast store."""
    open_forecast(forecast).close()
    plan = plan_of_forecast(library, ledger, forecast)
    evaluation = library.model(plan.about.model).evaluation
    protocol = library.entry("protocol", options.protocol or evaluation.protocol, Protocol)
    asked = options.baselines or evaluation.baselines or protocol.baselines
    beside = {name: path for name in asked if (path := _stored(library, name)) is not None}
    truth = plan.targets
    if options.against is not None:
        truth = _other_truth(library, truth, options.against)
    own = plan.about.model
    return evaluate(
        library,
        ledger,
        Evaluation(
            forecast=forecast,
            sampled=plan,
            truth=truth,
            protocol=protocol,
            baselines=tuple(n for n in dict.fromkeys(asked) if n != own and n not in beside),
            beside=tuple(beside.values()),
            scheduler=options.scheduler,
            quiet=options.quiet,
        ),
    )


def evaluate_model(
    library: Library,
    ledger: Ledger,
    request: Request,
    checkpoint: Path | None,
    options: EvaluateOptions,
) -> Evaluated:
    """Sample a model or a checkpoint first, then score what it made."""
    asked = replace(request, task="sample")
    _, sampled, _ = sample_request(library, ledger, asked, checkpoint, quiet=options.quiet)
    return evaluate_forecast(library, ledger, sampled.forecast, options)


def plan_of_forecast(library: Library, ledger: Ledger, forecast: Path) -> SamplePlan:
    """The plan that a forecast names, from the ledger or from the folder of its run."""
    claim = read_claim(forecast)["claim"]
    run, digest = str(claim.get("sampling_run")), str(claim.get("plan"))
    plan = SamplePlan.model_validate_json(_plan_text(library, ledger, run, forecast))
    if plan.digest() != digest:
        raise IntegrityError(
            "REG-560",
            f"the stored plan of {run} is not the one that the forecast names",
            where=str(forecast),
        )
    return plan


def _stored(library: Library, name: str) -> Path | None:
    """The forecast store that a baseline names, by its path or by the run that made it."""
    for path in (Path(name), Layout(library.root).forecast(name)):
        if path.suffix == ".zarr" and path.is_dir():
            return path
    return None


def _plan_text(library: Library, ledger: Ledger, run: str, forecast: Path) -> str:
    for record in queries.runs(ledger, id=run):
        return queries.document(ledger, record.documents["plan"])
    path = library.root / "runs" / Path(run).name / "plan.json"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    raise NotFound(
        "REG-360",
        f"nothing here knows the plan of {run}, which made this forecast",
        where=str(forecast),
        hint="`reg log rebuild` reads the records of runs that lie in this workspace",
    )


def _other_truth(library: Library, truth: StorePlan, ref: DataRef) -> StorePlan:
    """The same variables read from another dataset version."""
    version = library.version(ref)
    described = library.description(version.dataset)
    view = truth.view if truth.view in version.views else "native"
    grid = version.views.get(view) or version.grid or described.grid or truth.grid
    return truth.model_copy(
        update={
            "dataset": version.id, "content": version.content, "layout": version.layout,
            "product": version.products[0] if version.products else None, "view": view,
            "grid": grid, "cadence": version.time.cadence, "calendar": version.time.calendar,
            "segments": version.time.segments, "statistics": None,
        }
    )  # fmt: skip
