"""``reg evaluate``: a model, a checkpoint or a forecast becomes scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wxreg.cli.options import Cases, Data, LeadTime, Members, Scale, Seed, Set
from wxreg.cli.requests import make_request
from wxreg.cli.session import Session
from wxreg.errors import NotFound

if TYPE_CHECKING:
    from wxreg.resolve.request import Request
    from wxreg.runs.evaluating.evaluate import Evaluated
    from wxreg.runs.evaluating.request import EvaluateOptions


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str], typer.Argument(help="Forecasts; or models or checkpoint files to sample first.")
    ],
    protocol: Annotated[
        str | None, typer.Option(help="A protocol; the model's own if none is named.")
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="A system, a forecast or its run to compare with; may be repeated."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Another dataset version as the truth.")
    ] = None,
    data: Data = None,
    lead_time: LeadTime = None,
    scale: Scale = "mini",
    members: Members = None,
    seed: Seed = 0,
    cases: Cases = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many initial times, evenly spread.")
    ] = None,
    set_: Set = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A dask cluster to score on, as tcp://HOST:PORT."),
    ] = None,
    figures: Annotated[
        bool, typer.Option(help="Draw the report of each evaluation at once.")
    ] = True,
) -> None:
    """Score forecasts against the truth and against baselines.

    The options from --data to --set say what to sample where a model or a checkpoint is named.

    Example: reg evaluate unet-hrrr-v1 --baseline persistence --limit 12
    """
    from wxreg.ids import DataRef

    session: Session = ctx.obj
    quiet = session.quiet or session.json
    truth = DataRef.parse(against) if against else None

    def request(model: str, scale: str) -> Request:
        return make_request(
            model, data, lead_time, "sample", scale, members, seed,
            set_=set_, cases=cases, limit=limit,
        )  # fmt: skip

    _refuse_wrong_names(session, names, scale, request, protocol)
    from wxreg.runs.evaluating.request import EvaluateOptions  # loads torch

    options = EvaluateOptions(protocol, tuple(baseline or ()), truth, scheduler, quiet)
    found = [_evaluated(session, name, scale, request, options) for name in names]
    if figures:
        _draw(session, [one.run for one in found])
    documents = [dict(one.document) for one in found]
    if session.json:
        session.document(documents[0] if len(documents) == 1 else {"evaluations": documents})
        return
    for one in found:
        show(session, one.document)
        session.line(f"scores    {one.folder}")


def _draw(session: Session, runs: list[str]) -> None:
    from wxreg.report.reporting import write_report

    for run in runs:
        session.note(f"report {write_report(session.library, run).html}")


def _refuse_wrong_names(
    session: Session, names: list[str], scale: str, request: Any, protocol: str | None
) -> None:
    """Ask all that the entries alone can answer, before anything heavy is loaded."""
    from wxreg.cli.sample import checkpoint_file
    from wxreg.resolve.resolver import resolve

    if protocol is not None:
        session.library.path("protocol", protocol)
    for name in names:
        if _is_forecast(Path(name)):
            if not Path(name).exists():
                raise NotFound("REG-301", "there is no forecast here", where=name)
            continue
        checkpoint, model, own_scale = checkpoint_file(session, name, scale)
        if checkpoint is None:
            resolve(session.library, request(model, own_scale))


def _is_forecast(path: Path) -> bool:
    return path.suffix == ".zarr" or path.is_dir()


def _evaluated(
    session: Session, name: str, scale: str, request: Any, options: EvaluateOptions
) -> Evaluated:
    from wxreg.cli.ledgers import opened
    from wxreg.cli.sample import checkpoint_file
    from wxreg.runs.evaluating.request import evaluate_forecast, evaluate_model

    path = Path(name)
    with opened(session) as ledger:
        if _is_forecast(path):
            return evaluate_forecast(session.library, ledger, path, options)
        checkpoint, model, scale = checkpoint_file(session, name, scale)
        return evaluate_model(session.library, ledger, request(model, scale), checkpoint, options)


def show(session: Session, document: Any) -> None:
    """The rows of all cells, the skill beside the value."""
    plain = [row for row in document["scores"] if row["bin"] == "all" and row["scale"] is None]
    skills = {_of(row): row["skill"] for row in plain if row["baseline"]}
    names = sorted({row["baseline"] for row in plain if row["baseline"]})
    rows = [
        [row["metric"], row["variable"], row["lead"] or "all", row["threshold"],
         *(_text(row[key]) for key in ("value", "low", "high")),
         *(_percent(skills.get((*_of(row)[:-1], name))) for name in names)]
        for row in plain if row["baseline"] is None
    ]  # fmt: skip
    columns = ["metric", "variable", "lead", "threshold", "value", "low", "high"]
    session.table([*columns, *(f"skill: {name}" for name in names)], rows)
    session.line(f"run       {document['run']}")
    session.line(f"protocol  {document['protocol']} {document['protocol_digest'][:12]}")
    session.line(f"pairs     {document['pairs']} of {document['members']} members; "
                 f"{len(document['missing'])} valid times without truth")  # fmt: skip
    for note in document["notes"]:
        session.note(note)


def _of(row: Any) -> tuple[Any, ...]:
    keys = ("metric", "variable", "level", "lead", "threshold", "baseline")
    return tuple(row[key] for key in keys)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"
