"""``reg gc``: free space without cutting a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wxreg.cli.session import Session

if TYPE_CHECKING:
    from wxreg.audit.gc import Freed
    from wxreg.ledger.store import Ledger


def command(
    ctx: typer.Context,
    artifacts: Annotated[
        list[str] | None, typer.Argument(help="Free these, whatever their age and kind.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Kinds that may go; forecast if none is named.")
    ] = None,
    older_than: Annotated[int, typer.Option(min=0, help="Days that must have passed.")] = 30,
    delete: Annotated[bool, typer.Option("--delete", help="Delete; else only say what.")] = False,
) -> None:
    """Say what could be freed, or free it with --delete; records and indexes stay.

    An ancestor of anything kept or published is refused, and the chain between is shown.

    Example: reg gc --older-than 14 --delete
    """
    from wxreg.audit.gc import free
    from wxreg.cli.workplaces import needed_ledger

    session: Session = ctx.obj
    with needed_ledger(session) as ledger:
        rows = _rows(session, ledger, artifacts or [], kind or ["forecast"], older_than)
        freed = free(session.root, ledger, rows) if delete else 0
    if session.json:
        session.document({"rows": [row.as_json() for row in rows], "deleted": delete})
        return
    if rows:
        table = [(row.kind, row.path, row.bytes, row.stays or "can go") for row in rows]
        session.table(("kind", "path", "bytes", "why"), table)
    could = sum(row.bytes for row in rows if row.stays is None)
    session.line(f"{freed} bytes freed" if delete else f"{could} bytes could be freed: --delete")


def _rows(
    session: Session, ledger: Ledger, names: list[str], kinds: list[str], days: int
) -> tuple[Freed, ...]:
    from datetime import UTC, datetime, timedelta

    from wxreg.audit.gc import Policy, chosen, plan_gc
    from wxreg.audit.impact import node_of
    from wxreg.audit.inventory import Inventory

    inventory = Inventory.of(session.root, ledger, full=False)
    if names:
        return chosen(inventory, [node_of(session.root, ledger, name) for name in names])
    policy = Policy(tuple(kinds), timedelta(days=days))
    return plan_gc(inventory, policy, datetime.now(UTC))
