"""``reg impact``: what came from this?"""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    artifact: Annotated[
        str, typer.Argument(help="A file, a run, hrrr@mini-1, or the beginning of a digest.")
    ],
) -> None:
    """List everything downstream: which forecasts came from this checkpoint, which models from
    this data version.

    Example: reg impact hrrr@mini-1
    """
    from wxreg.audit.impact import impact, node_of
    from wxreg.canonical import short
    from wxreg.cli.workplaces import needed_ledger

    session: Session = ctx.obj
    with needed_ledger(session) as ledger:
        node = node_of(session.root, ledger, artifact)
        found = impact(ledger, node)
    if session.json:
        session.document({"node": node, "rows": [one.as_json() for one in found]})
        return
    rows = [
        (one.kind, one.path or short(one.node) if len(one.node) == 64 else one.node, one.role)
        for one in found
    ]
    if rows:
        session.table(("kind", "what", "role"), rows)
    session.note(f"{len(found)} runs and artifacts came from {short(node)}")
