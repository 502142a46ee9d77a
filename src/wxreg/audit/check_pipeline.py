"""Does every output that ``dvc.lock`` names come from a run, and is it still what was locked?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from wxreg.audit.inventory import Inventory
from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.ids import inside
from wxreg.library.reading import read_values

_RESULTS: Final = ("runs/", "forecasts/", "scores/")
"""Where only runs write."""


def pipeline_findings(inventory: Inventory) -> Iterator[Finding]:
    """Each locked output against the ledger and, where it is a file, its bytes."""
    lock = inventory.root / "dvc.lock"
    if not lock.is_file():
        return
    runs = {run.id for run in inventory.runs if run.state == "finished"}
    places = {one.path for one in inventory.artifacts}
    try:
        outs = _outs(lock)
        for stage, out in outs:
            path = inside(inventory.root, str(out["path"]), "locked output")
            yield from _maker(stage, path, str(out["path"]), runs, places)
            yield from _bytes(inventory, stage, path, out)
    except (RegError, KeyError, TypeError, AttributeError, ValueError) as error:
        remedy = "restore dvc.lock from git, or make it anew with `dvc repro`"
        yield Finding("warning", "REG-372", "dvc.lock", f"it cannot be read: {error}", remedy)


def _outs(lock: Path) -> list[tuple[str, Mapping[str, Any]]]:
    stages = read_values(lock, None)["stages"]
    return [(str(name), out) for name, stage in stages.items() for out in stage.get("outs", ())]


def _maker(
    stage: str, path: Path, name: str, runs: set[str], places: set[str]
) -> Iterator[Finding]:
    """An answer of a command names its run; a result has its record."""
    what = None
    if name.startswith(_RESULTS) and name not in places:
        what = f"stage {stage} locked it, and no run produced it"
    elif path.suffix == ".json" and path.is_file():
        run = _run_in(path)
        if run not in runs:
            what = f"stage {stage} locked it; it names the run {run}, which never finished here"
    if what:
        remedy = f"make it with reg: `dvc repro --force {stage}`"
        yield Finding("error", "REG-570", name, what, remedy)


def _run_in(path: Path) -> str | None:
    try:
        told = json.loads(path.read_bytes())
    except ValueError:
        return None
    run = told.get("run") if isinstance(told, dict) else None
    return run if isinstance(run, str) else None


def _bytes(
    inventory: Inventory, stage: str, path: Path, out: Mapping[str, Any]
) -> Iterator[Finding]:
    """Quick: the size of a locked file.  Full: its MD5, which is what DVC keeps."""
    if not path.is_file():
        return
    same = path.stat().st_size == out["size"]
    if same and inventory.full:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        same = found.hexdigest() == out["md5"]
    if not same:
        what = f"it is not what stage {stage} locked"
        remedy = f"`dvc repro {stage}` makes it again, or locks what is here"
        yield Finding("warning", "REG-372", str(out["path"]), what, remedy)
