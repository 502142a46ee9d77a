"""``reg import``: take in a bundle, once it is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A bundle that `reg bundle` made.")],
) -> None:
    """Verify every byte, digest, plan and link of a bundle, then take it in.

    Example: reg import storm.bundle
    """
    from wxreg.audit.importing import import_bundle
    from wxreg.cli.ledgers import opened

    session: Session = ctx.obj
    with opened(session) as ledger:
        made = import_bundle(session.root, ledger, file)
    if session.json:
        session.document(
            {
                "runs": list(made.runs),
                "artifacts": list(made.artifacts),
                "left": list(made.left),
            }
        )
        return
    session.line(f"{len(made.runs)} runs and {len(made.artifacts)} artifacts taken in")
    for name in made.artifacts:
        session.line(f"  {name}")
    for name in made.left:
        session.line(f"{name} differs here and was left as it is")
