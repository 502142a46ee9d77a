"""The payload index of a forecast: what each of its fields is of, and the field's digest."""

from __future__ import annotations

import json
import os
from dataclasses import astuple, dataclass
from pathlib import Path

from wxreg.errors import IntegrityError, NotFound

Place = tuple[str, int, int, int, float, int]
"""Variable, init, lead, member, level and segment of a field."""


@dataclass(frozen=True, order=True)
class FieldEntry:
    """One field of a forecast and its digest."""

    variable: str
    init: int
    """Seconds since 1970."""
    lead: int
    """Seconds."""
    member: int
    level: float | None
    digest: str
    segment: int = 0
    """The event, where the dataset has any: two of them may start at one time."""

    def place(self) -> Place:
        """What the field is of; sorts."""
        level = self.level or 0.0
        return (self.variable, self.init, self.lead, self.member, level, self.segment)


def index_beside(path: Path) -> Path:
    """The payload index of a forecast."""
    return path.with_name(path.name + ".index.jsonl")


def journal_beside(path: Path) -> Path:
    """What a forecast under way has so far."""
    return path.with_name(path.name + ".writing.jsonl")


def read_index(path: Path) -> list[FieldEntry]:
    """The payload index beside a forecast, ordered by what the fields are of."""
    return read_entries(index_beside(path), torn=False)


def entry_line(entry: FieldEntry) -> str:
    """A line of the index; the segment is only there where the dataset has any."""
    values = astuple(entry)
    return json.dumps(values if entry.segment else values[:-1], separators=(",", ":")) + "\n"


def read_entries(path: Path, *, torn: bool) -> list[FieldEntry]:
    """The entries of an index; with ``torn`` a last line cut short by a kill is left out."""
    if not path.exists():
        if torn:
            return []
        raise NotFound("REG-301", "the payload index is not there", where=str(path))
    entries = []
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line or (torn and number == len(lines)):
            continue
        try:
            entries.append(FieldEntry(*json.loads(line)))
        except (TypeError, ValueError) as error:
            raise IntegrityError(
                "REG-536", f"line {number} is not a field: {error}", where=str(path)
            ) from error
    return entries


def write_entries(path: Path, entries: list[FieldEntry]) -> None:
    """Write an index aside and put it in its place whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as stream:
        stream.writelines(map(entry_line, entries))
        stream.flush()
        os.fsync(stream.fileno())
    aside.rename(path)
