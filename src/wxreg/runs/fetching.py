"""``reg data fetch``: the files of a range of dates from a source of the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wxreg.data.fetch import Archive, FetchReport, fetch, hrrr_names
from wxreg.errors import Incompatible, UsageError
from wxreg.ids import not_found
from wxreg.library.loading import Library
from wxreg.specs.timeaxis import normal_moment


def fetch_files(
    library: Library,
    dataset: str,
    source: str,
    start: str,
    end: str,
    folder: Path,
    tell: Callable[[str], None],
) -> FetchReport:
    """Fetch the files of all runs from ``start`` up to, not including, ``end``."""
    known = library.sources(dataset)
    if source not in known:
        raise not_found("source", source, known)
    chosen = known[source]
    place = str(chosen.args["urlpath"])
    if chosen.metadata.layout != "hrrr-grib" or chosen.metadata.access != "public" or "{{" in place:
        raise Incompatible(
            "REG-437",
            f"the source {source} of {dataset} is no archive of files by date",
            hint="`reg data prepare --source` reads stores where they are",
        )
    try:
        first, last = normal_moment(start), normal_moment(end)
    except ValueError as error:
        raise UsageError("REG-230", str(error)) from error
    storage = chosen.args.get("storage_options")
    archive = Archive(place, dict(storage) if isinstance(storage, dict) else {})
    names = hrrr_names(first, last, chosen.metadata.product or "sfc")
    return fetch(archive, names, folder, lambda name, outcome: tell(f"{outcome:8} {name}"))
