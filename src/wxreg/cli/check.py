"""``reg check``: every finding of the catalog and the registry in one pass."""

from __future__ import annotations

import typer

from wxreg.cli.session import Session


def command(ctx: typer.Context) -> None:
    """Check every file of the catalog and the registry; exit 2 when something is wrong.

    Example: reg check --json
    """
    from wxreg.library.checks import check

    session: Session = ctx.obj
    findings = check(session.library)
    if session.json:
        session.document({"findings": [found.as_json() for found in findings]})
    else:
        print_findings(session, findings)
        files = sum(1 for _ in session.root.glob("[cr]*/**/*.yaml"))
        session.note(f"{files} files checked, {len(findings)} findings")
    if any(found.severity == "error" for found in findings):
        raise typer.Exit(2)


def print_findings(session: Session, findings: tuple[object, ...]) -> None:
    """Findings for a person: where and what, then the remedy on a line of its own."""
    from wxreg.findings import Finding

    for found in findings:
        if isinstance(found, Finding):
            where = found.where.removeprefix(f"{session.root}/")
            session.line(f"{found.severity} {found.code} {where}: {found.what}")
            session.line(f"  → {found.remedy}")
