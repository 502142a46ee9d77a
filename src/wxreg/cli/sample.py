"""``reg sample``: a checkpoint and initial times become a forecast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wxreg.cli.devices import Device
from wxreg.cli.options import Cases, Data, LeadTime, Members, Scale, Seed, Set
from wxreg.cli.requests import make_request
from wxreg.cli.session import Session
from wxreg.errors import Incompatible, NotFound, UsageError

if TYPE_CHECKING:
    from wxreg.resolve.request import Request


def command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A model, or a checkpoint file.")],
    data: Data = None,
    lead_time: LeadTime = None,
    scale: Scale = "mini",
    members: Members = None,
    seed: Seed = 0,
    init: Annotated[
        list[str] | None, typer.Option(help="An initial time; may be repeated.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="train, validation or test (the default).")
    ] = None,
    cases: Cases = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many initial times, evenly spread.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="Which checkpoint: best, last or epoch=7; else the entry's own choice."),
    ] = None,
    set_: Set = None,
    out: Annotated[Path | None, typer.Option(help="Where in the workspace it goes.")] = None,
    format: Annotated[str, typer.Option(help="zarr or netcdf.")] = "zarr",
    device: Device = "auto",
) -> None:
    """Make a sealed forecast from a trained model or a checkpoint.

    Example: reg sample ddpm-hrrr-v1 --members 16 --limit 4
    """
    from wxreg.specs.timeaxis import normal_moment

    session: Session = ctx.obj
    _check_choices(split, format)
    times = tuple(_moment(text, normal_moment) for text in init or ())
    checkpoint, model, scale = checkpoint_file(session, name, scale)
    request = make_request(
        model,
        data,
        lead_time,
        "sample",
        scale,
        members,
        seed,
        set_=set_,
        split=split,
        times=times,
        cases=cases,
        limit=limit,
        rule=rule,
    )
    document = _run(session, request, checkpoint, out, format, device)
    if session.json:
        session.document(document)
        return
    session.line(f"run       {document['run']}")
    session.line(f"forecast  {document['forecast']['path']}")
    session.line(f"digest    {document['forecast']['digest']}")
    session.note(f"next: reg evaluate {document['forecast']['path']}")


def _check_choices(split: str | None, format: str) -> None:
    for option, value, known in (
        ("--split", split, ("train", "validation", "test")),
        ("--format", format, ("zarr", "netcdf")),
    ):
        if value is not None and value not in known:
            raise UsageError("REG-200", f"{value!r} is not one of {', '.join(known)}", where=option)


def _moment(text: str, parse: Any) -> str:
    try:
        return str(parse(text))
    except ValueError as error:
        raise UsageError("REG-200", str(error), where="--init") from error


def checkpoint_file(session: Session, name: str, scale: str) -> tuple[Path | None, str, str]:
    """A checkpoint file says which model it belongs to."""
    path = Path(name)
    if path.suffix != ".safetensors":
        return None, name, scale
    if not path.is_file():
        raise NotFound("REG-301", "there is no checkpoint here", where=name)
    from wxreg.artifacts.checkpoint_file import read_checkpoint

    plan = read_checkpoint(path).metadata.get("plan", {})
    about = plan.get("about", {}) if isinstance(plan, dict) else {}
    if "model" not in about:
        raise Incompatible("REG-463", "the checkpoint does not name its model", where=name)
    return path, str(about["model"]), str(about.get("scale", scale))


def _run(
    session: Session,
    request: Request,
    checkpoint: Path | None,
    out: Path | None,
    format: str,
    device: str,
) -> dict[str, Any]:
    from wxreg.resolve.resolver import resolve

    if checkpoint is None:
        resolve(session.library, request)  # before the database is opened
    from wxreg.cli.ledgers import opened
    from wxreg.runs.sampling.plan import planned_sampling

    with opened(session) as ledger:
        planned_sampling(session.library, ledger, request, checkpoint)  # before torch is loaded
        from wxreg.runs.sampling.request import sample_request

        plan, sampled, exported = sample_request(
            session.library,
            ledger,
            request,
            checkpoint,
            out=out,
            netcdf=format == "netcdf",
            accelerator=device,
            quiet=session.quiet or session.json,
        )
    return {
        "run": sampled.run,
        "plan": plan.digest(),
        "state": sampled.state,
        "forecast": {"path": str(exported or sampled.forecast), "digest": sampled.digest},
        "inits": sampled.inits,
    }
