"""``reg resolve``: a request becomes one pinned plan, or a refusal that says why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.options import Cases, Data, LeadTime, Members, ModelName, Scale, Seed, Set
from wxreg.cli.requests import make_request
from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    model: ModelName,
    data: Data = None,
    lead_time: LeadTime = None,
    task: Annotated[str, typer.Option(help="train, sample or evaluate.")] = "train",
    scale: Scale = "mini",
    members: Members = None,
    seed: Seed = 0,
    cases: Cases = None,
    set_: Set = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell the file and line of every value.")
    ] = False,
) -> None:
    """Turn a model, dataset and lead time into one pinned plan.

    Example: reg resolve unet-hrrr-v1 --data hrrr@mini-1 --lead-time 1h --explain
    """
    from wxreg.resolve.explaining import explain as origins
    from wxreg.resolve.resolver import Draft, resolve

    session: Session = ctx.obj
    request = make_request(
        model, data, lead_time, task, scale, members, seed, cases=cases, set_=set_
    )
    found = resolve(session.library, request)
    rows = origins(session.library, found.match) if explain else ()
    if isinstance(found, Draft):
        document: dict[str, Any] = {
            "kind": "draft",
            "digest": None,
            "plan": None,
            "commands": list(found.commands),
        }
    else:
        document = {
            "kind": found.plan.KIND,
            "digest": found.plan.digest(),
            "plan": found.plan.model_dump(mode="json", exclude_defaults=True),
        }
    document["resources"] = found.match.model.resources.model_dump()
    if explain:
        document["origins"] = [
            {"path": row.path, "value": row.value, "where": row.where} for row in rows
        ]
    if session.json:
        session.document(document)
    elif isinstance(found, Draft):
        _print_draft(session, found)
    else:
        _print_plan(session, document, found.match)
    if explain:
        session.line()
        session.table(("value", "is", "from"), [(r.path, _brief(r.value), r.where) for r in rows])


def _print_draft(session: Session, draft: Any) -> None:
    match = draft.match
    lacking = [str(hold.ref) for hold in match.holds if hold.version is None]
    session.line(f"draft: {', '.join(dict.fromkeys(lacking))} has no version to pin")
    _print_resources(session, match)
    session.line("to make it a plan:")
    for line in draft.commands:
        session.line(f"  {line}")


def _print_plan(session: Session, document: dict[str, Any], match: Any) -> None:
    plan = document["plan"]
    about = plan["about"]
    session.line(f"{document['kind']} plan {document['digest']}")
    session.line(f"  model       {about['model']} at scale {about['scale']}")
    for hold in match.holds:
        session.line(f"  {hold.role:<11} {hold.ref}: {', '.join(match.channels(hold.side))}")
    from wxreg.leadtime import print_leads

    session.line(f"  lead        {print_leads(match.leads)}")
    _print_resources(session, match)
    if about.get("extrapolated"):
        session.line("  note        extrapolated: a lead lies outside the trained range")
    for period in about.get("provisional", ()):
        session.line(f"  note        provisional data: {period}")


def _print_resources(session: Session, match: Any) -> None:
    needs = match.model.resources
    session.line(
        f"  needs       {needs.parameters:,} parameters; about {needs.train_gib:g} GiB to train, "
        f"{needs.sample_gib:g} GiB to sample"
    )


def _brief(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
