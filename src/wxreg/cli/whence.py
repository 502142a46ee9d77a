"""``reg whence``: what made this file, and is it proved?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wxreg.cli.session import Session

if TYPE_CHECKING:
    from wxreg.audit.answer import Answer

_KEYS = ("checkpoint", "training_run", "sampling_run", "plan", "data", "statistics", "code")


def command(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A forecast, checkpoint, statistics or score file, or a folder.")
    ],
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every byte of the ancestors too.")
    ] = False,
) -> None:
    """Say which checkpoint, data, statistics and code made a file, and prove it by its bytes.

    Works on renamed, stripped, re-chunked, widened, flipped and cut-out copies. Exit code 5 when
    something was tampered with.

    Example: reg whence forecasts/sample-20261121-051120-bec24e.zarr
    """
    from wxreg.audit.whence import holds_many, whence, whence_all
    from wxreg.cli.workplaces import workplace

    session: Session = ctx.obj
    with workplace(session) as here:
        if holds_many(file):
            answers = list(whence_all(file, here, deep=deep))
            _print_table(session, answers)
        else:
            answers = [whence(file, here, deep=deep)]
            _print_one(session, answers[0])
    if any(answer.status == "tampered" for answer in answers):
        raise typer.Exit(5)


def _print_table(session: Session, answers: list[Answer]) -> None:
    if session.json:
        session.document({"rows": [answer.as_json() for answer in answers]})
        return
    rows = [
        (
            Path(answer.subject["path"]).name,
            answer.status,
            _short(answer.chain.get("checkpoint"), "sha256"),
            _short(answer.chain.get("training_run"), "id"),
            len(answer.differences) or "",
        )
        for answer in answers
    ]
    session.table(("file", "status", "checkpoint", "training run", "differences"), rows)


def _short(part: Any, key: str) -> str:
    from wxreg.canonical import short

    value = str((part or {}).get(key) or "")
    return short(value) if key == "sha256" else value


def _print_one(session: Session, answer: Answer) -> None:
    if session.json:
        session.document(answer.as_json())
        return
    subject = answer.subject
    session.line(f"status        {answer.status}")
    session.line(f"file          {subject['path']} ({subject['kind']})")
    if subject.get("evidence"):
        session.line(f"evidence      {subject['evidence']}")
    for key in _KEYS:
        for text in _lines(answer.chain.get(key)):
            session.line(f"{key:<13} {text}")
    for candidate in subject.get("candidates", ()):
        session.line(f"candidate     {candidate}")
    for check in subject.get("checked", ()):
        session.line(f"checked       {check['name']}: {check['state']} ({check['how']})")
    for found in answer.differences:
        session.line(f"difference    {_told(found.as_json())}")
    for note in subject.get("notes", ()):
        session.line(f"note          {note}")


def _lines(part: Any) -> list[str]:
    """One part of a chain as lines: the parts of a mapping side by side."""
    if part is None:
        return []
    if isinstance(part, list):
        return [line for entry in part for line in _lines(entry)]
    shown = (
        f"{key} {value}"
        for key, value in part.items()
        if value not in (None, [], {}) and not isinstance(value, dict)
    )
    nested = [f"{key}: {line}" for key, value in part.items() if isinstance(value, dict)
              for line in _lines(value)]  # fmt: skip
    plain = ", ".join(shown)
    return [plain, *nested] if plain else nested


def _told(found: dict[str, Any]) -> str:
    where = [
        f"{key} {found[key]}"
        for key in ("variable", "init", "lead", "member", "level", "place")
        if found[key] is not None
    ]
    return f"{found['kind']} {', '.join(where)}: {found['what']}"
