"""``reg sign``: who vouches for these bytes?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A bundle, a file or a folder.")],
    key: Annotated[Path, typer.Option(help="A private key (PEM), or the public one to verify.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the signature beside it; exit 5 if wrong.")
    ] = False,
    head: Annotated[
        bool, typer.Option("--head", help="PATH holds, or is to hold, the head of the log.")
    ] = False,
) -> None:
    """Sign with a local elliptic-curve key, or verify a signature.

    Example: reg sign storm.bundle --key lab.pem
    """
    from wxreg.audit import signing
    from wxreg.cli.workplaces import needed_ledger

    session: Session = ctx.obj
    what = str(path)
    if head:
        with needed_ledger(session) as ledger:
            work = signing.verify_head if verify else signing.sign_head
            what = str(work(ledger, key, path))
    elif verify:
        signing.verify_signature(path, key)
    else:
        signing.sign(path, key)
    signature = str(signing.signature_beside(path))
    if session.json:
        session.document({"signed": what, "signature": signature, "verified": verify})
    session.line(f"{'verified' if verify else 'signed'} {what} ({signature})")
