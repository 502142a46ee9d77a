"""New dataset versions: written or taken over, pinned by DVC, described in the catalog.

A version is released when its catalog entry is there, and never changes again.  A pin without an
entry is what a killed call left; the next call with the same name replaces it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from wxreg.artifacts.dvc import AddReport, add_version
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import storage_errors, write_text
from wxreg.data.clock import moments_of, shifted
from wxreg.data.prepare import PreparePlan, PrepareReport, Progress, prepare
from wxreg.data.stores import open_store, store_claim
from wxreg.errors import Conflict, NotFound, UsageError
from wxreg.ids import DataRef, check_name
from wxreg.library.loading import Library
from wxreg.library.reading import read_values
from wxreg.specs.dataset import Version
from wxreg.specs.grid import Grid
from wxreg.specs.timeaxis import Period, Splits

_SCHEMA: Final = "# yaml-language-server: $schema=../../../src/wxreg/schemas/version.json\n"
_SPLITS: Final = ("train", "validation", "test")


@dataclass(frozen=True)
class Released:
    """A new version, and where its parts are."""

    version: Version
    folder: Path
    entry: Path
    pin: Path
    prepared: PrepareReport | None = None
    """How its bytes were made; none where they were taken over."""


def release_prepared(
    library: Library,
    plan: PreparePlan,
    base: Mapping[str, Any],
    ref: DataRef,
    splits: Splits,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> Released:
    """Write the canonical store of ``plan`` as the new version ``ref`` and release it.

    ``base`` has what the entry takes over from where the values came from: title, licence, faults.
    """
    layout = Layout(library.root)
    folder = _free(library, layout, ref)
    report = prepare(replace(plan, output=folder), workers, progress)
    folder.with_name(f".{folder.name}.lock").unlink(missing_ok=True)
    described = {**base, **_described(plan, folder), "splits": within(splits, _span(plan, folder))}
    return replace(_release(library, layout, ref, described), prepared=report)


def release_folder(library: Library, ref: DataRef, files: Path, like: DataRef) -> Released:
    """Take over files in the real layout of ``like`` as the new version ``ref``.

    The entry says of the new files what that of ``like`` says of its own.
    """
    layout = Layout(library.root)
    known = library.version(like)
    if not files.is_dir():
        raise NotFound("REG-301", "there is no such folder", where=str(files))
    folder = _free(library, layout, ref)
    if files.resolve() != folder.resolve():
        with storage_errors(folder):
            shutil.copytree(files, folder, dirs_exist_ok=True)
    own = {"id", "content", "files", "bytes", "pin", "fixes"}
    base = {name: getattr(known, name) for name in known.model_fields_set - own}
    return _release(library, layout, ref, base)


def _free(library: Library, layout: Layout, ref: DataRef) -> Path:
    """The folder of a version that is not released yet."""
    library.path("dataset", ref.dataset)
    name = check_name(ref.version or "", "version")
    entry = layout.version_entry(ref.dataset, name)
    if entry.exists():
        raise Conflict(
            "REG-680",
            f"{ref} is released and cannot change",
            where=str(entry),
            hint="give the changed data a new version name",
        )
    layout.pin(ref.dataset, name).unlink(missing_ok=True)
    return layout.version(ref.dataset, name)


def _release(
    library: Library, layout: Layout, ref: DataRef, described: Mapping[str, Any]
) -> Released:
    name = str(ref.version)
    added = add_version(library.root, ref.dataset, name)
    body = {
        **described,
        "id": str(ref),
        "content": added.digest,
        "files": added.files,
        "bytes": added.bytes,
        "pin": _md5(added),
    }
    version = Version.model_validate(body)
    entry = layout.version_entry(ref.dataset, name)
    with storage_errors(entry):
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_text(entry, _SCHEMA + _text(version))
    return Released(version, layout.version(ref.dataset, name), entry, added.pin)


def _md5(added: AddReport) -> str:
    return str(yaml.safe_load(added.pin.read_text(encoding="utf-8"))["outs"][0]["md5"])


def _text(version: Version) -> str:
    body = json.loads(version.model_dump_json(exclude_defaults=True))
    first = {key: body.pop(key) for key in ("id", "title", "layout", "content")}
    return str(yaml.safe_dump({"spec": 1, **first, **body}, sort_keys=False, width=100))


def _described(plan: PreparePlan, folder: Path) -> dict[str, Any]:
    """What the entry says of a canonical store."""
    opened, claim = open_store(folder), store_claim(folder) or {}
    span = _span(plan, folder)
    levels = opened["level"].values.tolist() if "level" in opened.dims else ()
    grid = claim.get("grid")
    update = {"start": span.start, "end": span.end}
    return {
        "layout": "canonical",
        "grid": Grid.model_validate_json(json.dumps(grid)) if grid else None,
        "time": plan.request.time.model_copy(update=update),
        "variables": plan.variables,
        "levels": tuple(map(float, levels)),
        "products": (),
        "views": {},
        "gaps": tuple(one for one in opened.attrs.get("missing_times", ()) if "#" not in one),
    }


def _span(plan: PreparePlan, folder: Path) -> Period:
    """From the first time of a store to one step after its last."""
    opened = open_store(folder)
    times = opened["time"].values
    step = plan.request.time.cadence.seconds
    first, last = moments_of(times[:1])[0], moments_of(shifted(times[-1:], step))[0]
    return Period(start=first, end=last)


def within(splits: Splits, span: Period) -> Splits:
    """The parts of the periods that lie in ``span``; every split must keep some time."""
    kept = {name: _cut(splits.periods(name), span) for name in _SPLITS}
    empty = [name for name, periods in kept.items() if not periods]
    if empty:
        raise UsageError(
            "REG-230",
            f"from {span} nothing is left to {' and '.join(empty)} with",
            hint="give the splits of the new version in a file: --splits FILE",
        )
    return Splits(**kept, buffer=splits.buffer)


def _cut(periods: tuple[Period, ...], span: Period) -> tuple[Period, ...]:
    return tuple(
        Period(start=max(one.start, span.start), end=min(one.end, span.end))
        for one in periods
        if one.overlaps(span)
    )


def splits_of(library: Library, file: Path) -> Splits:
    """Splits as a person wrote them: ``train``, ``validation``, ``test`` and ``buffer``."""
    if not file.is_file():
        raise NotFound("REG-301", "there is no such file", where=str(file))
    try:
        return Splits.model_validate_json(json.dumps(read_values(file, library.cache)))
    except ValueError as error:
        raise UsageError("REG-202", f"these are no splits: {error}", where=str(file)) from error
