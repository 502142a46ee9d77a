"""``reg reproduce``: run a plan again and say whether the result is the same."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="A finished train or sample run.")],
) -> None:
    """Run the plan of a run again under its conditions and compare the bits.

    Example: reg reproduce train-20261121-034512-a3f9c1
    """
    from wxreg.cli.ledgers import opened
    from wxreg.runs.finding import reproducible_run

    session: Session = ctx.obj
    with opened(session) as ledger:
        reproducible_run(ledger, run)  # before torch is loaded
        from wxreg.runs.reproducing import reproduce

        found = reproduce(session.library, ledger, run, quiet=session.quiet or session.json)
    document = {
        "verdict": found.verdict,
        "difference": found.difference,
        "conditions": {"then": dict(found.then), "now": dict(found.now)},
        "run": found.run,
    }
    if session.json:
        session.document(document)
    else:
        session.line(f"{found.verdict}  ({run} again as {found.run})")
        for name, value in (found.difference or {}).items():
            session.line(f"  {name}: {value}")
        changed = [k for k in found.then if found.then[k] != found.now.get(k)]
        for key in changed:
            session.line(f"  {key}: {found.then[key]} then, {found.now.get(key)} now")
    if found.verdict == "different":
        raise typer.Exit(5)
