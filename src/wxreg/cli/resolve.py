"""``reg resolve``: a request becomes one pinned plan, or a refusal that says why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.options import Cases, Data, LeadTime, Members, ModelName, Scale, Seed, Set
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
    from wxreg.library.remembering import recall, remember

    session: Session = ctx.obj
    cache = session.root / ".reg" / "cache"
    words = (model, data, lead_time, task, scale, members, seed, cases, set_, explain)
    document = recall(cache, words)
    if document is None:
        request = (model, data, lead_time, task, scale, members, seed)
        document = _resolved(session, request, cases, set_, explain=explain)
        if document["kind"] != "draft":
            remember(cache, words, session.library.files_read(), document)
    _show(session, document)


def _resolved(
    session: Session, request: Any, cases: str | None, set_: list[str] | None, *, explain: bool
) -> dict[str, Any]:
    """Resolve, and describe the answer as the document that is printed."""
    from wxreg.cli.requests import make_request
    from wxreg.leadtime import print_leads
    from wxreg.resolve.explaining import explain as origins
    from wxreg.resolve.resolver import Draft, resolve

    found = resolve(session.library, make_request(*request, cases=cases, set_=set_))
    match = found.match
    document: dict[str, Any] = {"kind": "draft", "digest": None, "plan": None}
    if isinstance(found, Draft):
        lacking = [str(hold.ref) for hold in match.holds if hold.version is None]
        document |= {"commands": list(found.commands), "lacking": list(dict.fromkeys(lacking))}
    else:
        plan = found.plan.model_dump(mode="json", exclude_defaults=True)
        document |= {"kind": found.plan.KIND, "digest": found.plan.digest(), "plan": plan}
    document["resources"] = match.model.resources.model_dump()
    document["leads"] = print_leads(match.leads)
    document["sides"] = {
        hold.role: f"{hold.ref}: {', '.join(match.channels(hold.side))}" for hold in match.holds
    }
    if explain:
        rows = origins(session.library, match)
        document["origins"] = [{"path": r.path, "value": r.value, "where": r.where} for r in rows]
    return document


def _show(session: Session, document: dict[str, Any]) -> None:
    if session.json:
        session.document(document)
        return
    if document["kind"] == "draft":
        session.line(f"draft: {', '.join(document['lacking'])} has no version to pin")
    else:
        about = document["plan"]["about"]
        session.line(f"{document['kind']} plan {document['digest']}")
        session.line(f"  model       {about['model']} at scale {about['scale']}")
        for role, side in document["sides"].items():
            session.line(f"  {role:<11} {side}")
        session.line(f"  lead        {document['leads']}")
    needs = document["resources"]
    session.line(
        f"  needs       {needs['parameters']:,} parameters; about {needs['train_gib']:g} GiB "
        f"to train, {needs['sample_gib']:g} GiB to sample"
    )
    _show_notes(session, document)
    if "origins" in document:
        session.line()
        rows = [(row["path"], _brief(row["value"]), row["where"]) for row in document["origins"]]
        session.table(("value", "is", "from"), rows)


def _show_notes(session: Session, document: dict[str, Any]) -> None:
    if document["kind"] == "draft":
        session.line("to make it a plan:")
        for line in document["commands"]:
            session.line(f"  {line}")
        return
    about = document["plan"]["about"]
    if about.get("extrapolated"):
        session.line("  note        extrapolated: a lead lies outside the trained range")
    for period in about.get("provisional", ()):
        session.line(f"  note        provisional data: {period}")


def _brief(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
