"""``reg data fetch`` from Zarr stores: their own files, for the times and variables wanted.

What comes is a store of the same layout.  Of a catalogue of stores (CMIP6) the chosen rows come
with it, so that the folder is read like the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pandas as pd

from wxreg.artifacts.sealing import storage_errors, write_text
from wxreg.data.fetch import Archive, FetchReport, Outcome, fetch
from wxreg.data.fetch_stores import store_files
from wxreg.data.readers.cmip6 import public_url, store_of
from wxreg.data.readers.cmip6_catalogue import read_catalogue
from wxreg.data.reading import ReadRequest
from wxreg.errors import UsageError
from wxreg.library.loading import Library
from wxreg.runs.datasets.origins import Cut, source_request

STORES: Final = ("arco-zarr", "wrf-zarr", "cf-zarr", "cmip6-catalogue")
"""The layouts that are one Zarr store, or a catalogue of them."""
_ROWS: Final = "catalogue.csv"
Told = Callable[[str, Outcome], None]


def fetch_stores(
    library: Library,
    dataset: str,
    source: str,
    cut: Cut,
    folder: Path,
    told: Told,
    options: Mapping[str, str],
) -> FetchReport:
    """Fetch what a source's stores hold in the times of ``cut``; no variables are all of them."""
    if cut.times is None:
        hint = "--start 2021-07-01 --end 2021-07-03"
        raise UsageError("REG-230", "a store reaches over decades: say which times", hint=hint)
    request = source_request(library, dataset, source, cut, options)
    if request.layout == "cmip6-catalogue":
        return _from_catalogue(request, bool(cut.variables), folder, told)
    wanted = tuple(entry.zarr.name for entry in request.entries if entry.zarr)
    root, _, name = request.location.rstrip("/").rpartition("/")
    return _fetched(request, wanted, (root, name), folder, told)


def _from_catalogue(request: ReadRequest, chosen: bool, folder: Path, told: Told) -> FetchReport:
    if not chosen:
        hint = "--variable tmax_day --parameter source_id=CESM2 --parameter member_id=r1i1p1f1"
        raise UsageError("REG-230", "say which variables of which run", hint=hint)
    table = read_catalogue(request.location, request.storage_options)
    reports = []
    for entry in request.entries:
        store = store_of(table, request, entry)
        parts = urlsplit(store.rstrip("/"))
        place = public_url(f"{parts.scheme}://{parts.netloc}"), parts.path.strip("/")
        here = replace(request, location="/".join(place))
        wanted = (str(table.loc[table["zstore"] == store, "variable_id"].iloc[0]),)
        reports.append(_fetched(here, wanted, place, folder, told))
        _keep_row(folder / _ROWS, table[table["zstore"] == store].assign(zstore=place[1]))
    return FetchReport(
        {name: one for report in reports for name, one in report.outcomes.items()},
        {name: why for report in reports for name, why in report.reasons.items()},
        sum(report.bytes for report in reports),
    )


def _fetched(
    request: ReadRequest, wanted: tuple[str, ...], place: tuple[str, str], folder: Path, told: Told
) -> FetchReport:
    """Fetch a store that lies at ``(root, name)``."""
    root, name = place
    files = store_files(request, wanted)
    names = [f"{name}/{file}" for file in files.names]
    report = fetch(Archive(root, dict(request.storage_options)), names, folder, told)
    needless = {f"{name}/{file}" for file in files.needless} & set(report.named("missing"))
    return replace(
        report,
        outcomes={file: one for file, one in report.outcomes.items() if file not in needless},
    )


def _keep_row(path: Path, row: pd.DataFrame) -> None:
    """Add a row to the catalogue of what was fetched, once."""
    known = [pd.read_csv(path, dtype=str, keep_default_na=False)] if path.is_file() else []
    rows = pd.concat([*known, row]).drop_duplicates("zstore", keep="last")
    with storage_errors(path):
        write_text(path, rows.to_csv(index=False))
