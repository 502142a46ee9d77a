"""``reg data check``: what would let test data into training, and what prepared stores hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import storage_errors, write_text
from wxreg.data.fields import FieldStore
from wxreg.data.leakage import Events, event_findings, split_findings, window_findings
from wxreg.data.quality import quality_findings
from wxreg.data.quality_rules import rule_findings
from wxreg.data.readers.sevir_catalogue import PROJECTION, parse_catalogue
from wxreg.data.readers.sevir_files import SevirArchive
from wxreg.data.windows import enumerate_windows, period_seconds
from wxreg.findings import Finding
from wxreg.ids import NATIVE, DataRef
from wxreg.library.loading import Library
from wxreg.runs.datasets.preparing import store_path
from wxreg.specs.dataset import Version
from wxreg.specs.timeaxis import Splits

_SPLITS: Final = ("train", "validation", "test")


def check_version(library: Library, ref: DataRef) -> list[Finding]:
    """Everything that is wrong with, or worth knowing of, one version and its stores here."""
    version, layout = library.version(ref), Layout(library.root)
    where = str(layout.version_entry(version.dataset, version.name))
    found = split_findings(version.splits, version.time.calendar, where)
    if version.layout == "sevir-hdf5":
        folder = layout.version(version.dataset, version.name)
        found += events_of(folder, version.splits, version.time.calendar, version.id)
    for view in (NATIVE, *version.views):
        store = store_path(layout, version, view)
        if store.is_dir():
            found += _windows(version, store) + quality(library, version, store)
    return found


def quality(library: Library, version: Version, store: Path) -> list[Finding]:
    """The quality findings of a store of that version."""
    described = library.description(version.dataset)
    measured = quality_findings(store, library.lexicon(), version.licence or described.licence)
    return [*measured, *rule_findings(store, described.quality)]


def write_quality_report(store: Path, version: str, findings: Sequence[Finding]) -> Path:
    """The findings beside a store: ``<store>.quality.json``, and ``.quality.txt`` to read."""
    body = {"version": version, "findings": [found.as_json() for found in findings]}
    lines = [
        f"{one.severity} {one.code} {one.where}: {one.what} → {one.remedy}" for one in findings
    ]
    path = store.with_name(f"{store.name}.quality.json")
    with storage_errors(path):
        write_text(path, json.dumps(body, indent=2, ensure_ascii=False) + "\n")
        text = "\n".join(lines or ["nothing to report"])
        write_text(path.with_suffix(".txt"), f"{version}\n{text}\n")
    return path


def events_of(folder: Path, splits: Splits, calendar: str, version: str) -> list[Finding]:
    """The events of a SEVIR archive that meet training events, and their shares."""
    if not folder.is_dir():
        what = "the bytes are not here, so its events were not compared"
        return [Finding("info", "REG-438", str(folder), what, f"`reg pull {version}`")]
    archive = SevirArchive(str(folder))
    table = parse_catalogue(archive.catalogue(), archive.root).table.drop_duplicates("id")
    events = Events.from_corners(
        table["llcrnrlat"].to_numpy(float),
        table["llcrnrlon"].to_numpy(float),
        table["width_m"].to_numpy(float),
        table["time_utc"].to_numpy("datetime64[s]").astype(np.int64),
        PROJECTION,
    )
    return event_findings(events, splits, calendar, str(folder))[0]


def _windows(version: Version, store: Path) -> list[Finding]:
    """Windows of one step, as training, validation and tests enumerate them, on split borders."""
    axis = FieldStore(store, ()).axis
    if len(axis.seconds) < 2:
        return []
    step, found = int(np.diff(axis.seconds).min()), list[Finding]()
    calendar = version.time.calendar
    for name in _SPLITS:
        periods = period_seconds(version.splits.periods(name), calendar)
        windows = enumerate_windows(axis, axis, history=(0,), leads=(step,), periods=periods)
        found += window_findings(windows, version.splits, calendar, (0,), f"{store}: {name}")
    return found
