"""``reg card``: an honest card, from a person's words and verified records only."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.options import ModelName
from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    model: ModelName,
    run: Annotated[
        str | None, typer.Option(help="A training run; the newest finished one if not given.")
    ] = None,
) -> None:
    """Render cards/<model>.md from cards/<model>.yaml, a template and verified records.

    Example: reg card unet-hrrr-v1
    """
    from wxreg.artifacts.digests import file_digest
    from wxreg.cli.ledgers import opened
    from wxreg.publish.card import write_card

    session: Session = ctx.obj
    with opened(session) as ledger:
        path = write_card(session.library, ledger, model, run)
    if session.json:
        session.document({"model": model, "card": str(path), "sha256": file_digest(path)})
    session.line(f"card  {path}")
    session.note(f"next: reg publish {model} --to ORG/NAME")
