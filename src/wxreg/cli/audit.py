"""``reg audit``: is everything in this workspace what its records say?"""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    level: Annotated[
        str, typer.Option(help="quick: sizes, times and links; full: every byte.")
    ] = "quick",
) -> None:
    """Check every artifact, plan, pin, licence and event; exit 5 when integrity fails.

    Example: reg audit --level full
    """
    from wxreg.audit.audit import audit
    from wxreg.cli.check import print_findings
    from wxreg.cli.workplaces import needed_ledger
    from wxreg.errors import UsageError

    session: Session = ctx.obj
    if level not in ("quick", "full"):
        raise UsageError("REG-200", f"{level!r} is neither quick nor full", where="--level")
    with needed_ledger(session) as ledger:
        result = audit(session.root, ledger, "full" if level == "full" else "quick")
    if session.json:
        findings = [found.as_json() for found in result.findings]
        session.document({"findings": findings, "checked": result.checked})
    else:
        print_findings(session, result.findings)
        counts = ", ".join(f"{count} {name}" for name, count in result.checked.items()
                           if name != "level")  # fmt: skip
        session.line(f"{'whole' if result.whole else 'NOT WHOLE'} ({level}): {counts}")
        if level == "quick":
            session.note("sizes and times only; `reg audit --level full` reads every byte")
    if not result.whole:
        raise typer.Exit(5)
