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
_COPIED = (
    "catalog",
    "registry",
    "cards",
    "data/embedded",
    ".dvc/config",
    ".dvcignore",
    ".gitattributes",
    "dvc.yaml",
    "pipeline/.gitignore",
)
_IGNORED = """.reg/
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
        bool, typer.Option("--bare", help="Empty, not like the workspace around here.")
    ] = False,
) -> None:
    """Make a new workspace: like the one around this folder, without its runs, or --bare.

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
        like = None if bare else _around(session)
        if like is None:
            _write_lexicon(folder / "catalog" / "lexicon.yaml")
        else:
            _copy_from(like, folder)
    if session.json:
        session.document({"workspace": str(folder.resolve())})
    session.line(f"workspace {folder.resolve()}")
    session.note(f"next: cd {folder} && reg check")


def _write_lexicon(target: Path) -> None:
    target.write_text(
        "spec: 1\n"
        "# Every variable by its one name, such as\n"
        "#   - {id: t2m, long_name: Temperature at 2 m, units: K, range: [150.0, 350.0]}\n"
        "# `reg pull ORG/NAME@v1` brings those of a published model.\n"
        "variables: []\n",
        encoding="utf-8",
    )


def _copy_from(root: Path, folder: Path) -> None:
    """Everything that is written down here, and the data that ships with it; no runs."""
    from shutil import copy2, copytree

    for name in _COPIED:
        source = root / name
        if source.is_dir():
            copytree(source, folder / name, dirs_exist_ok=True)
        elif source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy2(source, folder / name)
    for pin in root.glob("data/*/*.dvc"):
        place = folder / pin.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        copy2(pin, place)


def _around(session: Session) -> Path | None:
    """The workspace that the new one is made like; none outside of one."""
    from wxreg.errors import RegError

    try:
        return session.root
    except RegError:
        return None
