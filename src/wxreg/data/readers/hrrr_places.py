"""Which file of HRRR's archive holds a field, and which bytes of it.

The state at time t is what ``f00`` of t holds, together with the hourly extremes and
accumulations of ``f01`` of the run before, since f00 has none; each variable says which.
Steps between the hours (product ``subh``) come from ``f01`` of the hour that they lie in.
Where the archived forecast is asked for, the fields at time t are those of the run of t at
that lead.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from wxreg.data.clock import moment_text
from wxreg.data.readers.grib_source import Archive, ByteRange, FileIndex, open_index
from wxreg.data.reading import ReadRequest
from wxreg.errors import Incompatible, IntegrityError, UsageError
from wxreg.specs.variables import GribSelector, Variable, VariableEntry

_READERS_AT_ONCE: Final = 8
_LEVEL_FACTOR: Final = {100: 100.0}
"""From the lexicon's levels to those of a surface type: hPa to Pa."""

Message = tuple[ByteRange, ...]
"""One message, or several that must turn out equal (f01 has its one-hour sum twice)."""
FieldPlace = tuple[Message, ...]
"""The messages of one field of one time, one per level."""


@dataclass(frozen=True)
class Part:
    """One entry with what reading it needs."""

    entry: VariableEntry
    variable: Variable
    selector: GribSelector
    product: str
    window: float
    levels: tuple[float, ...]
    lead: timedelta | None = None
    """The lead of the archived forecast that is read; none for the state."""

    def serves(self, moment: str) -> bool:
        """Whether the archive holds the variable under this selector at that time."""
        since, until = self.entry.since, self.entry.until
        return (since is None or moment >= since) and (until is None or moment < until)

    def file(self, time: datetime) -> str:
        """The file that holds the variable's state at ``time``."""
        if self.lead is not None:
            return file_name(time, round(self.lead / timedelta(hours=1)), self.product)
        on_the_hour = time.minute == 0
        if self.entry.analysis and on_the_hour:
            return file_name(time, 0, self.product)
        run = (time - timedelta(minutes=1)).replace(minute=0)
        return file_name(run, 1, self.product)

    def valid(self, time: datetime) -> datetime:
        """The time that the fields kept at ``time`` are of."""
        return time if self.lead is None else time + self.lead


def file_name(run: datetime, hour: int, product: str) -> str:
    """The archive's name of one file, below its root."""
    return f"hrrr.{run:%Y%m%d}/conus/hrrr.t{run:%H}z.wrf{product}f{hour:02d}.grib2"


def part_of(request: ReadRequest, entry: VariableEntry) -> Part:
    """How an entry of the catalog is read for a request."""
    selector = entry.grib
    if selector is None:
        raise Incompatible("REG-430", f"{entry.id} has no GRIB selector", where=request.location)
    product = request.product or selector.product
    if product not in (selector.product, *selector.also):
        raise Incompatible(
            "REG-430", f"{entry.id} is not in the product {product}", where=request.location
        )
    if selector.levels and not request.levels:
        raise UsageError("REG-230", f"{entry.id} is on levels: say which", where=request.location)
    span = selector.window or request.time.cadence
    return Part(
        entry=entry,
        variable=request.variable(entry),
        selector=selector,
        product=product,
        window=0.0 if selector.step == "instant" else span.seconds / 60,
        levels=request.levels if selector.levels else (),
        lead=timedelta(seconds=request.forecast.seconds) if request.forecast else None,
    )


def index_files(
    archive: Archive, parts: list[Part], times: list[datetime]
) -> dict[str, FileIndex | None]:
    """The index of each file that any variable needs, by name; None where there is no file."""
    names = sorted(
        {part.file(time) for part in parts for time in times if part.serves(moment_text(time))}
    )
    by_name = all(part.selector.idx for part in parts)
    with ThreadPoolExecutor(_READERS_AT_ONCE) as pool:
        return dict(
            zip(names, pool.map(partial(_open_index, archive, by_name), names), strict=True)
        )


def _open_index(archive: Archive, by_name: bool, name: str) -> FileIndex | None:
    return open_index(archive, name, by_name)


def places_of(
    parts: list[Part],
    times: list[datetime],
    indexes: dict[str, FileIndex | None],
    archive: Archive,
) -> list[FieldPlace | None]:
    """Where the variable of ``parts`` lies at each time; None where the archive lacks it."""
    places: list[FieldPlace | None] = []
    for time in times:
        serving = [part for part in parts if part.serves(moment_text(time))]
        if len(serving) > 1:
            raise IntegrityError(
                "REG-531", f"{serving[0].entry.id} has two selectors at {moment_text(time)}"
            )
        index = indexes[serving[0].file(time)] if serving else None
        places.append(_place(serving[0], index, time, archive) if index else None)
    return places


def _place(part: Part, index: FileIndex, time: datetime, archive: Archive) -> FieldPlace | None:
    valid = part.valid(time)
    found = [index.find(select, part.window, valid) for select in _selectors(part)]
    if not any(found):
        return None
    if not all(found):
        lacking = [level for level, hits in zip(part.levels, found, strict=True) if not hits]
        raise Incompatible(
            "REG-430",
            f"{part.entry.id} is there, but not on the levels {lacking}",
            where=f"{archive.location}/{index.path}",
        )
    return tuple(tuple(hits) for hits in found)


def _selectors(part: Part) -> Iterable[GribSelector]:
    """The selector of each level, or the one there is."""
    select = part.selector
    if not part.levels:
        return (select,)
    factor = _LEVEL_FACTOR.get(select.level_type, 1.0)
    return tuple(
        select.model_copy(
            update={
                "levels": False,
                "level": level * factor,
                "idx": select.idx and select.idx.replace("{level}", f"{level:g}"),
            }
        )
        for level in part.levels
    )
