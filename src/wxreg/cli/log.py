"""``reg log``: the ledger's hash-chained history."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.check import print_findings
from wxreg.cli.ledgers import opened
from wxreg.cli.session import Session

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The ledger's log: print its head, its events, verify it, rebuild the ledger.\n\n"
    "Example: reg log verify",
)


@app.command()
def head(ctx: typer.Context) -> None:
    """Print the head: keep it, and `reg log verify --head` finds any later edit.

    Example: reg log head
    """
    session: Session = ctx.obj
    with opened(session) as ledger:
        found = ledger.head()
    if session.json:
        session.document({"head": str(found)})
    session.line(str(found))


@app.command()
def events(
    ctx: typer.Context,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20,
) -> None:
    """Print the newest events.

    Example: reg log events --last 5
    """
    from wxreg.ledger import queries
    from wxreg.ledger.log import parsed

    session: Session = ctx.obj
    with opened(session) as ledger:
        sequence = ledger.head().sequence
        found = queries.events(ledger, after=max(0, sequence - last))
    if session.json:
        session.document({"rows": [{"id": event.sequence, **parsed(event)} for event in found]})
        return
    for event in found:
        session.line(f"{event.sequence}  {event.hash[:12]}  {event.body}")


@app.command()
def verify(
    ctx: typer.Context,
    head: Annotated[
        list[str] | None, typer.Option(help="A head printed earlier; may be repeated.")
    ] = None,
) -> None:
    """Recompute the chain, rebuild the tables from it, and report every difference.

    Example: reg log verify --head "$(cat head.txt)"
    """
    from wxreg.ledger.records import Head
    from wxreg.ledger.verify import verify as verified

    session: Session = ctx.obj
    with opened(session) as ledger:
        result = verified(ledger, [Head.parse(text) for text in head or ()])
    if session.json:
        session.document(
            {
                "ok": result.ok,
                "head": str(result.head),
                "findings": [found.as_json() for found in result.findings],
            }
        )
    else:
        print_findings(session, result.findings)
        if result.ok:
            session.line(f"the log holds: {result.head}")
    if not result.ok:
        raise typer.Exit(5)


@app.command()
def rebuild(ctx: typer.Context) -> None:
    """Make an empty ledger anew from the records beside the artifacts.

    Example: reg log rebuild
    """
    from wxreg.artifacts.layout import Layout
    from wxreg.audit.reindex import forecast_index
    from wxreg.ledger.rebuild import rebuild as rebuilt

    session: Session = ctx.obj
    layout = Layout(session.root)
    with opened(session) as ledger:
        records = layout.sealed_records()
        made = rebuilt(ledger, session.root, layout.run_files(), records, forecast_index)
    if session.json:
        session.document(
            {
                "runs": made.runs,
                "artifacts": made.artifacts,
                "findings": [found.as_json() for found in made.findings],
            }
        )
        return
    session.line(f"{made.runs} runs and {made.artifacts} artifacts taken in")
    print_findings(session, made.findings)
