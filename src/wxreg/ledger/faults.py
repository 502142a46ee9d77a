"""Database errors, mapped to ours at the edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from wxreg.errors import Conflict, ExternalError, IntegrityError, RegError, StorageError

_FULL = ("disk is full", "disk I/O error", "No space left", "could not extend file")
_UNWRITABLE = ("readonly", "read-only", "unable to open database", "Permission denied")
_BUSY = ("database is locked", "lock timeout")
_DAMAGED = ("malformed", "not a database", "database corruption")
_GRANT = "give this user the right to write there, or name another ledger in REG_LEDGER"


@contextmanager
def mapped(where: str) -> Iterator[None]:
    """Turn errors of the database at ``where`` into errors that say how to mend them."""
    try:
        yield
    except DBAPIError as error:
        raise _ours(error, where) from error
    except OSError as error:
        what = f"the ledger's folder cannot be used: {error.strerror}"
        raise StorageError("REG-820", what, where=where, hint=_GRANT) from error


def _ours(error: DBAPIError, where: str) -> RegError:
    said = str(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if state == "53100" or _any(said, _FULL):
        hint = "make room, then run the command again; the ledger is as it was before"
        return StorageError("REG-820", f"the ledger has no room: {said}", where=where, hint=hint)
    if state == "25006" or _any(said, _UNWRITABLE):
        what = f"the ledger is not writable: {said}"
        return StorageError("REG-820", what, where=where, hint=_GRANT)
    if _any(said, _BUSY):
        hint = "another process holds the ledger for very long; try again when it is done"
        return Conflict("REG-620", "the ledger stayed locked", where=where, hint=hint)
    if _any(said, _DAMAGED):
        hint = "restore it from a copy, or `reg log rebuild` from the sealed records"
        return IntegrityError("REG-520", f"the ledger is damaged: {said}", where=where, hint=hint)
    hint = "is the server up, and the address in REG_LEDGER right?"
    if not isinstance(error, OperationalError):
        hint = "report this: the database refused what wxreg wrote"
    return ExternalError("REG-720", f"the database failed: {said}", where=where, hint=hint)


def _any(said: str, signs: tuple[str, ...]) -> bool:
    return any(sign in said for sign in signs)
