"""``reg train``: a model becomes a checkpoint."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.devices import Device
from wxreg.cli.options import Data, LeadTime, ModelName, Scale, Seed, Set
from wxreg.cli.requests import make_request
from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    model: ModelName,
    data: Data = None,
    lead_time: LeadTime = None,
    scale: Scale = "mini",
    seed: Seed = 0,
    set_: Set = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last resume point of this plan.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Train even if this plan has a finished run.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Queue behind a run of the same plan.")
    ] = False,
    devices: Annotated[int, typer.Option(min=1, help="How many processes or GPUs.")] = 1,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that load data.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of one process; part of the record.")
    ] = None,
    resume_every: Annotated[
        float, typer.Option(min=0, help="Seconds between resume points.")
    ] = 30.0,
) -> None:
    """Train a model: resolve it, fetch and prepare its data, and seal the checkpoint.

    Example: reg train aurora-hrrr-v1
    """
    from wxreg.errors import Incompatible
    from wxreg.resolve.resolver import Draft, resolve

    session: Session = ctx.obj
    request = make_request(model, data, lead_time, "train", scale, None, seed, set_=set_)
    found = resolve(session.library, request)
    from wxreg.specs.plan import TrainPlan  # not before: a refusal needs no plan classes

    if isinstance(found, Draft) or not isinstance(found.plan, TrainPlan):
        raise Incompatible(
            "REG-462",
            "this is a draft: its data have no version to pin",
            hint="; ".join(getattr(found, "commands", ())),
        )
    plan = found.plan
    _run(
        session,
        plan,
        _options(session, resume, again, wait, devices, device, workers, resume_every),
        threads,
    )


def _options(
    session: Session,
    resume: bool,
    again: bool,
    wait: bool,
    devices: int,
    device: str,
    workers: int,
    resume_every: float,
) -> dict[str, Any]:
    return {
        "resume": resume,
        "again": again,
        "wait": wait,
        "devices": devices,
        "accelerator": device,
        "workers": workers,
        "resume_seconds": resume_every,
        "quiet": session.quiet or session.json,
    }


def _run(session: Session, plan: Any, options: dict[str, Any], threads: int | None) -> None:
    """Only now torch is loaded, since only now training is sure to start."""
    from wxreg.cli.ledgers import opened
    from wxreg.report.training_curves import draw_training
    from wxreg.runs.threads import use_threads
    from wxreg.runs.training.train import TrainOptions, follow, is_follower, train_or_reuse

    use_threads(threads)
    with opened(session) as ledger:
        if is_follower():
            follow(session.library, ledger, plan, TrainOptions(**options))
            return
        trained = train_or_reuse(
            session.library, ledger, plan, TrainOptions(**options), note=session.note
        )
    curves = None if trained.reused else draw_training(session.library.root / "runs" / trained.run)
    document = {
        "run": trained.run,
        "plan": plan.digest(),
        "state": trained.state,
        "checkpoint": {"path": str(trained.checkpoint), "sha256": trained.sha256},
        "metrics": trained.metrics,
        "reused": trained.reused,
        "curves": str(curves) if curves else None,
    }
    if session.json:
        session.document(document)
        return
    session.line(f"run         {trained.run}{' (finished earlier)' if trained.reused else ''}")
    session.line(f"plan        {plan.digest()[:12]}")
    session.line(f"checkpoint  {trained.checkpoint}")
    session.line(f"sha256      {trained.sha256}")
    if curves:
        session.line(f"curves      {curves}")
    for name, value in trained.metrics.items():
        session.line(
            f"{name:<11} {value:.5g}" if isinstance(value, float) else f"{name:<11} {value}"
        )
    session.note(f"next: reg sample {plan.about.model}")
