"""wgrib2 indexes: where each message of a GRIB file lies, in every dialect the archives have.

A line is ``number:offset:d=YYYYMMDDHH:VAR:level:step:…``; some archives print the number twice.
The last record has no end: its bytes go up to the end of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from wxreg.errors import IntegrityError

_LINE: Final = re.compile(
    r"(?:\d+:)?(?P<number>\d+)(?:\.(?P<part>\d+))?:(?P<offset>\d+):d=(?P<date>\d{10}(?:\d\d){0,2}):"
    r"(?P<name>[^:]+):(?P<level>[^:]*):(?P<step>[^:]*)(?::.*)?"
)
_STEP: Final = re.compile(
    r"(?:(?P<start>\d+)-)?(?P<end>\d+) (?P<unit>min|hour|day) ?(?P<statistic>acc|max|min|ave)?"
    r"(?: fcst| anl)?"
)
_MINUTES: Final = {"min": 1, "hour": 60, "day": 1440}
_STATISTICS: Final = {
    None: "instant",
    "acc": "accumulated",
    "max": "maximum",
    "min": "minimum",
    "ave": "average",
}


@dataclass(frozen=True)
class IndexRecord:
    """One line of an index: what the message is and which bytes it takes."""

    number: int
    offset: int
    end: int | None
    """The first byte after it; none where only the file's size can tell."""
    reference: datetime
    name: str
    """The variable, or the codes of one that wgrib2 has no name for."""
    level: str
    step: str
    """``instant``, ``accumulated`` …, or the raw text where wgrib2 says something else."""
    start_minutes: int
    end_minutes: int
    part: int | None = None
    """Which field of a message that holds several (``12.2``); none where it holds one."""

    @property
    def key(self) -> str:
        """``VAR:level``, as selectors write it."""
        return f"{self.name}:{self.level}"


def parse_index(data: bytes, where: str) -> tuple[IndexRecord, ...]:
    """The records of a wgrib2 index; a pickle or any other file is refused, never loaded."""
    if data[:1] == b"\x80" or b"cfgrib" in data[:64]:
        raise IntegrityError(
            "REG-530",
            "this .idx file is a pickle that cfgrib wrote, not a wgrib2 index",
            where=where,
            hint="delete it: pickles run code when loaded, and wxreg does not need it",
        )
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise IntegrityError("REG-530", "a wgrib2 index is ASCII text", where=where) from None
    records = [_parse_line(line, number, where) for number, line in enumerate(lines, 1) if line]
    if not records:
        raise IntegrityError("REG-530", "the index is empty", where=where)
    return _with_ends(records, where)


def _parse_line(line: str, number: int, where: str) -> IndexRecord:
    found = _LINE.fullmatch(line.strip())
    if not found:
        raise IntegrityError(
            "REG-530", f"not a wgrib2 index line: {line[:80]!r}", where=f"{where}:{number}"
        )
    step, start, end = _parse_step(found["step"])
    date = found["date"].ljust(14, "0")
    return IndexRecord(
        number=int(found["number"]),
        offset=int(found["offset"]),
        end=None,
        reference=datetime.strptime(date, "%Y%m%d%H%M%S"),
        name=found["name"],
        level=found["level"],
        step=step,
        start_minutes=start,
        end_minutes=end,
        part=int(found["part"]) if found["part"] else None,
    )


def _parse_step(text: str) -> tuple[str, int, int]:
    if text.strip() == "anl":
        return "instant", 0, 0
    found = _STEP.fullmatch(text.strip())
    if not found:
        return text, -1, -1
    unit = _MINUTES[found["unit"]]
    end = int(found["end"]) * unit
    start = end if found["start"] is None else int(found["start"]) * unit
    return _STATISTICS[found["statistic"]], start, end


def _with_ends(records: list[IndexRecord], where: str) -> tuple[IndexRecord, ...]:
    """Each record ends where the next message begins; parts of one message share its bytes."""
    starts = sorted({record.offset for record in records})
    if [record.offset for record in records] != sorted(record.offset for record in records):
        raise IntegrityError("REG-530", "the offsets of the index go backwards", where=where)
    following = dict(pairwise(starts))
    return tuple(replace(record, end=following.get(record.offset)) for record in records)


def matching(
    records: Iterable[IndexRecord], key: str, statistic: str, window_minutes: int, end_minutes: int
) -> tuple[IndexRecord, ...]:
    """The records of ``VAR:level`` with that statistic, span and end."""
    start = end_minutes - window_minutes
    return tuple(
        record
        for record in records
        if record.key == key
        and record.step == statistic
        and (record.start_minutes, record.end_minutes) == (start, end_minutes)
    )
