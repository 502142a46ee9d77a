"""What was found sound or damaged in large files, remembered so that each is tried only once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import storage_errors, write_text
from wxreg.errors import IntegrityError


class DamageRecord:
    """A file of findings by name; one is tried again when the file it is of has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[str, dict[str, Any]] = {}
        if path is not None and path.is_file():
            self._found = json.loads(path.read_text(encoding="utf-8"))

    @property
    def remembers(self) -> bool:
        """Whether findings outlive this object, so that a long trial is worth its time."""
        return self._path is not None

    def damage(self, name: str, stamp: str | None, trial: Callable[[], object]) -> str | None:
        """What is wrong with ``name``; none if the trial raises no ``IntegrityError``.

        ``stamp`` tells one state of the file from another; none where the file is gone.
        """
        known = self._found.get(name)
        if known is None or stamp not in (None, known["stamp"]):
            known = {"stamp": stamp, "damage": _tried(trial)}
            self._found[name] = known
        found: str | None = known["damage"]
        return found

    def save(self) -> None:
        """Write the findings, if there is a place for them."""
        if self._path is None:
            return
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(self._found, indent=1, sort_keys=True) + "\n")


def _tried(trial: Callable[[], object]) -> str | None:
    try:
        trial()
    except IntegrityError as error:
        return error.message
    return None
