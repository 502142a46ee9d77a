"""One row for every entry of a kind, kept by size and time: ten thousand list quickly."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxreg.errors import RegError
from wxreg.library.loading import FOLDERS, Library

Row = dict[str, Any]


def rows(library: Library, kind: str) -> list[Row]:
    """One row an entry: its id and title; a file that cannot be read says so in its row."""
    kept_at = library.cache / "lists" / f"{kind}.json"
    kept = _kept(kept_at)
    states = _states(library.root / FOLDERS[kind])
    found: dict[str, list[Any]] = {
        name: kept[name]
        if name in kept and kept[name][:2] == states[name]
        else [*states[name], _row(library, kind, name)]
        for name in library.ids(kind)
    }
    if found != kept:
        _keep(kept_at, found)
    return [{"id": name} | entry[2] for name, entry in found.items()]


def _states(folder: Path) -> dict[str, list[int]]:
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        files = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".yaml")]
    return {name[:-5]: [stat.st_size, stat.st_mtime_ns] for name, stat in files}


def _row(library: Library, kind: str, name: str) -> Row:
    try:
        values = library.values(library.path(kind, name))
    except RegError as error:
        return {"title": f"cannot be read: {error.message}"}
    if not isinstance(values, Mapping):
        return {"title": "cannot be read: it is no mapping"}
    if kind == "dataset":
        described = values.get("metadata", {}).get("reg", {})
        return {"title": described.get("title", "")}
    if kind == "card":
        words = values.get("intended") or f"as of {values.get('base', '')}"
        return {"title": str(words)[:80]}
    if kind == "model":
        return {"base": values.get("base", ""), "title": values.get("title", "")}
    return {"title": values.get("title", "")}


def _kept(path: Path) -> dict[str, list[Any]]:
    try:
        found: dict[str, list[Any]] = json.loads(path.read_bytes())
    except (OSError, ValueError):  # nothing kept yet, or torn: it is made again
        return {}
    return found


def _keep(path: Path, found: Mapping[str, list[Any]]) -> None:
    """Keep the rows; a workspace that cannot be written to is read anew each time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(found), encoding="utf-8")
        aside.replace(path)
    except OSError:
        return
