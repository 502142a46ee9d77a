"""``reg pull``: exact bytes of a dataset version, or a published model at an exact revision."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.completing import complete_data
from wxreg.cli.session import Session
from wxreg.ids import DataRef


def command(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="A dataset version, such as hrrr@mini-1.", autocompletion=complete_data
        ),
    ],
) -> None:
    """Fetch exactly these bytes, verify them, and do nothing when they are here already.

    Example: reg pull hrrr@mini-1
    """
    session: Session = ctx.obj
    document = _data(session, DataRef.parse(what))
    if session.json:
        session.document(document)
        return
    done = "fetched and verified" if document["fetched"] else "here already"
    session.line(f"{what}  {document['content'][:12]}  {done}")


def _data(session: Session, ref: DataRef) -> dict[str, Any]:
    from wxreg.artifacts.layout import Layout
    from wxreg.artifacts.stat_manifest import is_unchanged

    version = session.library.version(ref)
    layout = Layout(session.root)
    folder = layout.version(version.dataset, version.name)
    manifest = layout.stat_manifest(version.dataset, version.name)
    here = folder.is_dir() and is_unchanged(folder, manifest, version.content)
    if not here:
        from wxreg.artifacts.dvc import pull_version

        pull_version(session.root, version.dataset, version.name, version.content)
    return {
        "version": version.id,
        "path": str(folder),
        "content": version.content,
        "files": version.files,
        "fetched": not here,
    }
