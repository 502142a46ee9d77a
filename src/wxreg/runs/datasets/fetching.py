"""``reg data fetch``: the files of a range of dates from a source of the catalog.

A source names its files by time (``files`` and ``every``); the files of SEVIR are those in which
its own catalogue lists events of these dates; of a Zarr store they are those of its chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from wxreg.data.clock import regular_times
from wxreg.data.fetch import Archive, FetchReport, Outcome, fetch
from wxreg.data.readers.sevir_catalogue import parse_catalogue
from wxreg.errors import Incompatible, UsageError
from wxreg.ids import not_found
from wxreg.library.loading import Library
from wxreg.runs.datasets.fetching_stores import STORES, fetch_stores
from wxreg.runs.datasets.origins import Cut, filling
from wxreg.specs.base import thaw
from wxreg.specs.dataset import Source
from wxreg.specs.timeaxis import normal_moment

_CATALOGUE: Final = "CATALOG.csv"
Times = tuple[str, str] | None
Tell = Callable[[str], None]


def fetch_files(
    library: Library,
    dataset: str,
    source: str | None,
    span: tuple[str | None, str | None],
    folder: Path,
    tell: Tell,
    options: Mapping[str, str] | None = None,
    variables: tuple[str, ...] = (),
) -> FetchReport:
    """Fetch the files of a source from the first time up to, not including, the second."""
    name, chosen = _source(library, dataset, source)
    times = _times(span)

    def said(file: str, outcome: Outcome) -> None:
        tell(f"{outcome:8} {file}")

    if chosen.metadata.layout in STORES:
        cut = Cut(times, variables=variables)
        return fetch_stores(library, dataset, name, cut, folder, said, options or {})
    if variables:
        raise UsageError("REG-230", f"a file of {name} has all variables: leave --variable out")
    put = filling(library, chosen, options or {})
    place = put(str(chosen.args["urlpath"]))
    archive = Archive(place, thaw(chosen.args.get("storage_options", {})))
    if chosen.metadata.layout == "sevir-hdf5":
        catalogue = fetch(archive, [_CATALOGUE], folder, said)
        catalogue.check()
        names = _event_files(folder / _CATALOGUE, chosen.metadata.product, times)
        return fetch(archive, [_CATALOGUE, *names], folder, said)
    return fetch(archive, _names(chosen, put, times), folder, said)


def _source(library: Library, dataset: str, name: str | None) -> tuple[str, Source]:
    known = library.sources(dataset)
    if name is not None and name not in known:
        raise not_found("source", name, known)
    fetchable = {one: source for one, source in known.items() if _has_files(source)}
    if name is None and fetchable:
        return next(iter(fetchable.items()))
    if name is None or name not in fetchable:
        raise Incompatible(
            "REG-437",
            f"{f'the source {name}' if name else 'no source'} of {dataset} is an archive of files",
            hint=f"sources that are: {', '.join(fetchable)}"
            if fetchable
            else "`reg data prepare --source` reads stores where they are",
        )
    return name, fetchable[name]


def _has_files(source: Source) -> bool:
    notes = source.metadata
    stored = notes.layout in (*STORES, "sevir-hdf5")
    return notes.access == "public" and (stored or bool(notes.files))


def _times(span: tuple[str | None, str | None]) -> Times:
    start, end = span
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise UsageError("REG-230", "give both --start and --end")
    try:
        times = normal_moment(start), normal_moment(end)
    except ValueError as error:
        raise UsageError("REG-230", str(error)) from error
    if times[1] <= times[0]:
        raise UsageError("REG-230", f"the end {times[1]} does not lie after {times[0]}")
    return times


def _names(source: Source, put: Callable[[str], str], times: Times) -> list[str]:
    """The archive's names, in the order of their times."""
    notes = source.metadata
    if notes.every is None:
        return [put(pattern) for pattern in notes.files]
    if times is None:
        hint = "--start 2023-06-01 --end 2023-06-02"
        raise UsageError("REG-230", "these files are kept by date: say which", hint=hint)
    steps: list[datetime] = regular_times(*times, notes.every)
    return [step.strftime(put(pattern)) for step in steps for pattern in notes.files]


def _event_files(catalogue: Path, image: str | None, times: Times) -> list[str]:
    """The files of SEVIR with events of these times, and of one image type if it is named."""
    table = parse_catalogue(catalogue.read_bytes(), str(catalogue)).table
    moments = table["time_utc"].dt.strftime("%Y-%m-%dT%H:%M")
    keep = moments.notna()
    if times is not None:
        keep &= (moments >= times[0]) & (moments < times[1])
    if image is not None:
        keep &= table["img_type"] == image
    return [f"data/{name}" for name in sorted(set(table["file_name"][keep]))]
