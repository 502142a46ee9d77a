"""One way to say what went wrong: a plain sentence, or one JSON document."""

from __future__ import annotations

import gc
import json
import sys

from typer import TyperException

from wxreg.errors import RegError, UsageError


def from_typer(error: TyperException) -> UsageError:
    """A fault that typer found on the command line, as one of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "reg"
    message = error.format_message() or "some words are missing"
    return UsageError("REG-290", message.rstrip("."), hint=f"`{path} --help` explains it")


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
