"""The sections of a GRIB2 message, and the fields of a message that holds several.

After the data of one field a message may go on with section 2, 3 or 4 of the next; what is not
repeated holds on.  NCEP packs the two components of a wind like that.  ecCodes decodes only the
first field of such a message, so each is cut out as a message of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

from wxreg.data.readers.grib_frames import END, INDICATOR, Frame, damaged
from wxreg.errors import IntegrityError

_HEAD: Final = 5
_DATA: Final = 7
_BITMAP: Final = 6
_FOLLOWING: Final[Mapping[int, tuple[int, ...]]] = {
    0: (1,), 1: (2, 3), 2: (3,), 3: (4,), 4: (5,), 5: (6,), 6: (7,), 7: (2, 3, 4),
}  # fmt: skip
"""Which sections may come after each."""
_AS_BEFORE: Final = 254
"""The bitmap indicator that means: the bitmap of an earlier field."""


@dataclass(frozen=True)
class Section:
    """Where a section lies in its file."""

    offset: int
    size: int

    def read(self, stream: BinaryIO) -> bytes:
        """Its bytes."""
        stream.seek(self.offset)
        return stream.read(self.size)


Sections = Mapping[int, Section]
"""The sections that describe and hold one field, by their number."""


def fields_of(stream: BinaryIO, frame: Frame, where: str) -> list[Sections]:
    """The sections of each field of a message; only section headers are read."""
    current: dict[int, Section] = {}
    found: list[Sections] = []
    position, end, before = frame.offset + INDICATOR, frame.offset + frame.length - len(END), 0
    while position < end:
        stream.seek(position)
        head = stream.read(_HEAD)
        size, number = int.from_bytes(head[:4], "big"), head[-1]
        if size < _HEAD or position + size > end or number not in _FOLLOWING[before]:
            raise damaged(where, frame.offset, f"the header of message {frame.number} is damaged")
        current[number] = Section(position, size)
        if number == _DATA:
            found.append(dict(current))
        position, before = position + size, number
    if before != _DATA:
        raise damaged(where, frame.offset, f"the header of message {frame.number} is damaged")
    return found


def single_fields(raw: bytes, offset: int, number: int, where: str) -> list[bytes]:
    """The fields of one whole message, each as a message of its own."""
    stream = BytesIO(raw)
    try:
        fields = fields_of(stream, Frame(number, 0, len(raw)), where)
    except IntegrityError as error:
        raise damaged(where, offset, f"the header of message {number} is damaged") from error
    if len(fields) == 1:
        return [raw]
    made, bitmap = [], b""
    for sections in fields:
        parts = {at: section.read(stream) for at, section in sorted(sections.items())}
        if parts[_BITMAP][_HEAD] == _AS_BEFORE:
            parts[_BITMAP] = bitmap
        bitmap = parts[_BITMAP]
        body = b"".join(parts.values()) + END
        made.append(raw[:8] + (INDICATOR + len(body)).to_bytes(8, "big") + body)
    return made
