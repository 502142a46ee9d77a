"""``reg keep``: pin the checkpoint of a run with DVC."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="A finished training run.")],
) -> None:
    """Pin a run's checkpoint with DVC and note it in registry/checkpoints/<model>.yaml.

    Example: reg keep train-20261121-034512-a3f9c1
    """
    from wxreg.cli.ledgers import opened
    from wxreg.runs.keeping import keep

    session: Session = ctx.obj
    with opened(session) as ledger:
        kept = keep(session.root, ledger, run)
    if session.json:
        session.document({"run": run, "sha256": kept.sha256, "pin": kept.pin, "entry": kept.entry})
    session.line(f"kept {kept.sha256[:12]} of {run}")
    session.line(f"  pin    {kept.pin}")
    session.line(f"  entry  {kept.entry}")
    session.note("next: git add and commit both, then `dvc push`")
