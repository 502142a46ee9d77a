"""``reg sign``: who vouches for these bytes?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wxreg.cli.session import Session
from wxreg.errors import UsageError

if TYPE_CHECKING:
    from wxreg.audit.signing import Identity, Sigstore


def command(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A bundle, a file or a folder.")],
    key: Annotated[
        Path | None, typer.Option(help="A private key (PEM), or the public one to verify.")
    ] = None,
    sigstore: Annotated[
        bool, typer.Option("--sigstore", help="Sign through sigstore; needs a network.")
    ] = False,
    identity: Annotated[
        str | None, typer.Option(help="Verify: whom sigstore must know as the signer.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(help="Verify: the address of the provider behind --identity.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the signature beside it; exit 5 if wrong.")
    ] = False,
    head: Annotated[
        bool, typer.Option("--head", help="PATH holds, or is to hold, the head of the log.")
    ] = False,
) -> None:
    """Sign with a local elliptic-curve key or through sigstore, or verify a signature.

    Example: reg sign storm.bundle --key lab.pem
    """
    from wxreg.audit import signing
    from wxreg.cli.workplaces import needed_ledger

    session: Session = ctx.obj
    what = str(path)
    if verify:
        who = _signer(key, identity, issuer)
        if head:
            with needed_ledger(session) as ledger:
                what = str(signing.verify_head(ledger, who, path))
        else:
            signing.verify_signature(path, who)
    else:
        by = _own(key, sigstore)
        if head:
            with needed_ledger(session) as ledger:
                what = str(signing.sign_head(ledger, by, path))
        else:
            signing.sign(path, by)
    signature = str(signing.signature_beside(path))
    if session.json:
        session.document({"signed": what, "signature": signature, "verified": verify})
    session.line(f"{'verified' if verify else 'signed'} {what} ({signature})")


def _own(key: Path | None, sigstore: bool) -> Path | Sigstore:
    """What we sign with; a token for sigstore comes from the environment only."""
    from wxreg.audit.signing import Sigstore

    if (key is None) != sigstore:
        hint = "--key lab.pem, or --sigstore where a network is"
        raise UsageError("REG-200", "a signature needs either a key or sigstore", hint=hint)
    return key or Sigstore(os.environ.get("SIGSTORE_ID_TOKEN"))


def _signer(key: Path | None, identity: str | None, issuer: str | None) -> Path | Identity:
    """Whose signature is expected."""
    from wxreg.audit.signing import Identity

    named = identity is not None and issuer is not None
    if (key is None) != named or (key and (identity or issuer)):
        hint = "--key lab.pub, or --identity NAME --issuer ADDRESS for a sigstore signature"
        raise UsageError("REG-200", "to verify, say whose signature is expected", hint=hint)
    return key or Identity(str(identity), str(issuer))
