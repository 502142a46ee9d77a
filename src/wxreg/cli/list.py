"""``reg list``: what a workspace holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.session import Session
from wxreg.errors import UsageError
from wxreg.ids import near_names
from wxreg.library.loading import FOLDERS, Library

KINDS = (*(f"{kind}s" for kind in FOLDERS), "versions", "variables", "runs", "metrics")


def command(
    ctx: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(help=", ".join(KINDS), autocompletion=lambda: list(KINDS), metavar="KIND"),
    ] = "models",
) -> None:
    """List the entries of one kind.

    Example: reg list datasets
    """
    session: Session = ctx.obj
    if kind not in KINDS:
        near = near_names(kind, KINDS)
        hint = f"did you mean {near[0]}?" if near else f"kinds: {', '.join(KINDS)}"
        raise UsageError("REG-290", f"there is nothing called {kind!r} to list", hint=hint)
    rows = _rows(session, kind)
    if session.json:
        session.document({"rows": rows})
        return
    columns = [key for key in rows[0] if key != "id"] if rows else []
    session.table(
        ("id", *columns), [[row["id"], *(row[key] for key in columns)] for row in rows], kind
    )
    session.note(f"{len(rows)} {kind}")


def _rows(session: Session, kind: str) -> list[dict[str, Any]]:
    if kind == "runs":
        from wxreg.cli.ledgers import run_rows

        return run_rows(session)
    if kind == "metrics":
        from wxreg.cli.metrics import metric_rows

        return metric_rows()
    library = session.library
    if kind == "versions":
        return _versions(library)
    if kind == "variables":
        return [
            {"id": v.id, "units": v.units, "kind": v.kind, "name": v.long_name}
            for v in library.lexicon().values()
        ]
    from wxreg.library.listing import rows

    return rows(library, kind.removesuffix("s"))


def _versions(library: Library) -> list[dict[str, Any]]:
    rows = []
    for dataset in library.ids("dataset"):
        for name in library.versions(dataset):
            from wxreg.ids import DataRef

            version = library.version(DataRef(dataset, name))
            rows.append(
                {
                    "id": version.id,
                    "content": version.content[:12],
                    "files": version.files,
                    "MB": round(version.bytes / 1e6, 1),
                    "title": version.title,
                }
            )
    return rows
