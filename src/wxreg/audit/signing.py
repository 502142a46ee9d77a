"""Signatures in the form of OpenSSF model signing: by a local key, or by sigstore's identities.

A bundle or a published folder carries its lineage inside, so its signature covers that too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wxreg.artifacts.sealing import storage_errors, write_text
from wxreg.errors import Conflict, ExternalError, IntegrityError, NotFound, UsageError
from wxreg.ledger import queries
from wxreg.ledger.records import Head
from wxreg.ledger.store import Ledger


@dataclass(frozen=True)
class Identity:
    """Somebody as sigstore knows them, and the provider that vouches for the name."""

    name: str
    issuer: str


@dataclass(frozen=True)
class Sigstore:
    """Sign as whom the provider says we are: by a token, a machine's credentials or a browser."""

    token: str | None = None


def signature_beside(path: Path) -> Path:
    """Where the signature of a file or folder lies."""
    return path.with_name(path.name + ".sig")


def sign(path: Path, by: Path | Sigstore) -> Path:
    """Sign a file or folder by a private key (PEM) or through sigstore; the signature lies beside.

    A key is of an elliptic curve.
    """
    from model_signing import hashing, signing

    _must_exist(path, *([by] if isinstance(by, Path) else []))
    target = signature_beside(path)
    if target.exists():
        hint = "remove it first if it is to be replaced"
        raise Conflict("REG-600", "a signature is there already", where=str(target), hint=hint)
    every = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    signer = signing.Config().set_hashing_config(every)
    if isinstance(by, Sigstore):
        with _sigstore(path):
            signer.use_sigstore_signer(
                identity_token=by.token, use_ambient_credentials=by.token is None
            ).sign(path, target)
        return target
    try:
        signer.use_elliptic_key_signer(private_key=by)
    except (ValueError, TypeError) as error:
        raise _unusable(by, error) from error
    with storage_errors(target):
        signer.sign(path, target)
    return target


def verify_signature(path: Path, by: Path | Identity) -> None:
    """Refuse what is not exactly what the owner of a public key, or an identity, signed."""
    from model_signing import hashing, verifying

    target = signature_beside(path)
    _must_exist(path, target, *([by] if isinstance(by, Path) else []))
    every = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    verifier = verifying.Config().set_hashing_config(every)
    if isinstance(by, Identity):
        with _sigstore(path):
            verifier.use_sigstore_verifier(identity=by.name, oidc_issuer=by.issuer)
    else:
        try:
            verifier.use_elliptic_key_verifier(public_key=by)
        except (ValueError, TypeError) as error:
            raise _unusable(by, error) from error
    try:
        verifier.verify(path, target)
    except Exception as error:  # whatever the library raises, it does not verify
        hint = "ask its owner for the key and the bytes again; do not use what is here"
        what = f"the signature does not verify: {error or type(error).__name__}"
        raise IntegrityError("REG-573", what, where=str(path), hint=hint) from error


def sign_head(ledger: Ledger, by: Path | Sigstore, out: Path) -> Head:
    """Write down where the log ends now, and sign that; a later loss or edit shows against it."""
    if out.exists():
        raise Conflict("REG-600", "a file is there already", where=str(out), hint="name another")
    head = ledger.head()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(out, json.dumps({"format": 1, "head": str(head), "at": at}) + "\n")
    sign(out, by)
    return head


def verify_head(ledger: Ledger, by: Path | Identity, path: Path) -> Head:
    """Refuse a signed head that does not verify, or that the log no longer holds."""
    verify_signature(path, by)
    try:
        head = Head.parse(json.loads(path.read_bytes())["head"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("REG-220", f"this is no signed head: {error}", where=str(path)) from error
    found = queries.events(ledger, after=head.sequence - 1, limit=1) if head.sequence else ()
    if head.sequence and (not found or found[0].hash != head.hash):
        what = f"the log once ended at {head}, and no longer holds that event"
        hint = "find out who edited the database; `reg log verify` shows where"
        raise IntegrityError("REG-522", what, where=ledger.where, hint=hint)
    return head


@contextmanager
def _sigstore(path: Path) -> Iterator[None]:
    """What sigstore's services, or the lack of a network, make go wrong."""
    from sigstore.errors import Error

    try:
        yield
    except (Error, OSError) as error:
        hint = "sigstore needs a network; --key signs and verifies with a key of your own"
        what = f"sigstore cannot be used: {error}"
        raise ExternalError("REG-770", what, where=str(path), hint=hint) from error


def _must_exist(*paths: Path) -> None:
    for path in paths:
        if not path.exists():
            raise NotFound("REG-301", "nothing is there", where=str(path))


def _unusable(key: Path, error: Exception) -> UsageError:
    hint = "openssl ecparam -name prime256v1 -genkey -noout makes a private key"
    return UsageError("REG-270", f"this key cannot be used: {error}", where=str(key), hint=hint)
