"""``reg pull``: exact bytes of a dataset version, or a published model at an exact revision."""

from __future__ import annotations

from pathlib import Path
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
            help="A dataset version, such as hrrr@mini-1, or a published model, ORG/NAME@v1.",
            autocompletion=complete_data,
        ),
    ],
    key: Annotated[
        Path | None, typer.Option(help="A public key (PEM) that must have signed the model.")
    ] = None,
) -> None:
    """Fetch exactly these bytes and verify them; data that are here already are left alone.

    Example: reg pull hrrr@mini-1
    """
    session: Session = ctx.obj
    if "/" in what:
        _pull_model(session, what, key)
        return
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


def _pull_model(session: Session, what: str, key: Path | None) -> None:
    from wxreg.artifacts.hub import Repository
    from wxreg.cli.ledgers import opened
    from wxreg.errors import UsageError
    from wxreg.publish.pulling import pull_model

    repo, _, revision = what.partition("@")
    if not revision:
        hint = f"name an exact revision: {repo}@v1, or a commit"
        raise UsageError("REG-200", f"{what!r} names no revision", hint=hint)
    with opened(session) as ledger:
        pulled = pull_model(session.root, ledger, Repository(repo), revision, key)
    if session.json:
        session.document(
            {
                "repo": pulled.repo,
                "commit": pulled.commit,
                "run": pulled.run,
                "checkpoint": str(pulled.checkpoint),
                "sha256": pulled.sha256,
                "entries": list(pulled.entries),
                "signature": pulled.signature,
            }
        )
        return
    session.line(f"{what}  {pulled.sha256[:12]}  fetched and verified")
    session.line(f"  checkpoint  {pulled.checkpoint}")
    session.line(f"  commit      {pulled.commit}, {len(pulled.entries)} registry files added")
    if pulled.signature != "verified":
        told = "it is signed; --key KEY checks by whom" if pulled.signature == "unchecked" else (
            "nobody signed it: its files agree with each other, and that is all that is known"
        )  # fmt: skip
        session.note(told)
    session.note(f"next: reg sample {pulled.checkpoint}")
