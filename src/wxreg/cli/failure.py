"""One way to say what went wrong: a plain sentence, or one JSON document."""

from __future__ import annotations

import errno
import gc
import json
import sys
from typing import Final

from typer import TyperException

from wxreg.errors import ExternalError, RegError, UsageError

_FULL: Final = ("failed to map segment", "can't start new thread")
"""What a library that cannot be loaded says, and a thread whose stack found no room."""


def from_typer(error: TyperException) -> UsageError:
    """A fault that typer found on the command line, as one of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "reg"
    message = error.format_message() or "some words are missing"
    return UsageError("REG-290", message.rstrip("."), hint=f"`{path} --help` explains it")


def no_room(error: Exception) -> ExternalError | None:
    """Memory that ran out where no setting of a plan is to blame; none for anything else."""
    full = isinstance(error, MemoryError) or (
        error.errno == errno.ENOMEM
        if isinstance(error, OSError)
        else any(words in str(error) for words in _FULL)
    )
    if not full:
        return None
    said = f": {error}" if str(error) else ""
    return ExternalError(
        "REG-760",
        f"memory ran out{said}",
        hint="end other programs, or run this where more memory is free; what is sealed is whole",
    )


def report(error: RegError | None, *, as_json: bool, status: int = 1) -> int:
    """Print an error and return the exit status; none stands for an interruption.

    Nothing more will be asked, so the interpreter need not search all it has loaded for circles.
    """
    gc.freeze()
    if error is None:
        code, message, hint = "REG-100", "interrupted", None
    else:
        code, status, hint = error.code, error.exit_code, error.hint
        message = f"{error.where}: {error.message}" if error.where else error.message
    if as_json:
        document = {"error": {"code": code, "message": message, "hint": hint}}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return status
    sys.stderr.write(f"{code}: {message}\n")
    if hint:
        sys.stderr.write(f"  → {hint}\n")
    return status
