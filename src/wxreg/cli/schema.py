"""``reg schema``: the JSON Schema of a kind of file, made from the specs."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="model, dataset, protocol …")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write all schemas beside the package.", hidden=True)
    ] = False,
) -> None:
    """Print the JSON Schema of one kind of file; without a kind, list the kinds.

    Example: reg schema model
    """
    from wxreg.library import schemas

    session: Session = ctx.obj
    if write:
        for path in schemas.write_all():
            session.line(str(path))
    elif kind is None:
        if session.json:
            session.document({"rows": [{"id": name} for name in schemas.KINDS]})
        for name in schemas.KINDS:
            session.line(name)
    else:
        import json

        text = json.dumps(schemas.schema(kind), indent=2, ensure_ascii=False)
        print(text)  # noqa: T201
