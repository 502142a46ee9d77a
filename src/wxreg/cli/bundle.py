"""``reg bundle``: one file that another lab can verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    artifact: Annotated[str, typer.Argument(help="A run, a forecast or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
) -> None:
    """Pack a checkpoint or forecast with its whole chain: runs, plans, statistics, weights.

    Example: reg bundle forecasts/sample-20261121-051120-bec24e.zarr --out storm.bundle
    """
    from wxreg.audit.bundle import bundle
    from wxreg.audit.impact import node_of
    from wxreg.cli.workplaces import needed_ledger

    session: Session = ctx.obj
    with needed_ledger(session) as ledger:
        made = bundle(session.root, ledger, node_of(session.root, ledger, artifact), out)
    if session.json:
        session.document(
            {
                "path": str(made.path),
                "files": made.files,
                "runs": list(made.runs),
                "missing": list(made.missing),
            }
        )
        return
    session.line(f"{made.path}: {made.files} files, the runs {', '.join(made.runs)}")
    for name in made.missing:
        session.line(f"not here, so not packed: {name}")
