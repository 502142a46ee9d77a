"""``reg init``: a new workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wxreg.cli.session import Session
from wxreg.errors import Conflict

_FOLDERS = (
    "catalog",
    "registry/models",
    "registry/checkpoints",
    "registry/experiments",
    "registry/protocols",
    "registry/cases",
    "cards",
    "data",
)
_IGNORED = """.reg/
/data/*/*/
/data/prepared/
/runs/
/forecasts/
/scores/
/reports/
"""


def command(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where; it must not be a workspace yet.")],
    bare: Annotated[
        bool, typer.Option("--bare", help="Without the catalogs that come with wxreg.")
    ] = False,
) -> None:
    """Make a new workspace, with the lexicon and catalogs of this one unless --bare.

    Example: reg init ../my-lab
    """
    from wxreg.artifacts.sealing import storage_errors
    from wxreg.library.workspace import is_workspace

    session: Session = ctx.obj
    if is_workspace(folder):
        raise Conflict("REG-600", f"{folder} is a workspace already", hint="choose another folder")
    with storage_errors(folder):
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        ignored = folder / ".gitignore"
        if not ignored.exists():
            ignored.write_text(_IGNORED, encoding="utf-8")
        if bare:
            _write_lexicon(folder / "catalog" / "lexicon.yaml")
        else:
            _copy_catalogs(session, folder)
    if session.json:
        session.document({"workspace": str(folder.resolve())})
    session.line(f"workspace {folder.resolve()}")
    session.note(f"next: cd {folder} && reg check")


def _write_lexicon(target: Path) -> None:
    target.write_text(
        "spec: 1\nvariables:\n"
        "  - {id: t2m, long_name: Temperature at 2 m, units: K, range: [150.0, 350.0]}\n",
        encoding="utf-8",
    )


def _copy_catalogs(session: Session, folder: Path) -> None:
    from shutil import copytree

    for name in ("catalog", "registry", "cards"):
        copytree(session.root / name, folder / name, dirs_exist_ok=True)
