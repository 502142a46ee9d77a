"""Finding the workspace: the git folder that holds ``catalog/`` and ``registry/``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from wxreg.errors import UsageError

ENVIRONMENT: Final = "REG_WORKSPACE"
_MARKS: Final = ("catalog", "registry")


def is_workspace(folder: Path) -> bool:
    """Whether ``folder`` holds a catalog and a registry."""
    return all((folder / mark).is_dir() for mark in _MARKS)


def find_workspace(named: Path | None = None, start: Path | None = None) -> Path:
    """The workspace that was named, by option or ``REG_WORKSPACE``, or the one around ``start``."""
    told = named or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if told is not None:
        if not is_workspace(told):
            raise UsageError(
                "REG-204",
                f"{told} is not a workspace: it has no catalog/ and registry/",
                hint="`reg init FOLDER` makes one",
            )
        return told.resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if is_workspace(folder):
            return folder
    raise UsageError(
        "REG-204",
        f"there is no workspace at {here} or above it",
        hint="`reg init FOLDER` makes one; --workspace or REG_WORKSPACE names one",
    )
