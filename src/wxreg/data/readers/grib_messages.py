"""The messages of a GRIB2 file, found and described without decoding any values.

Headers are read from the bytes themselves: the selection must not depend on a name table that
calls half of HRRR's fields ``unknown``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from wxreg.errors import IntegrityError, RegError

_INDICATOR: Final = 16
_STRAY_LIMIT: Final = 128
"""The most bytes that are neither a message nor zeros and still count as stray."""
_BLOCK: Final = 1 << 16
_MISSING_U32: Final = 0xFFFFFFFF
_SURFACES_AT: Final = {0: 22, 1: 22, 2: 22, 8: 22, 11: 22, 12: 22, 15: 22, 48: 45}
"""Octet index of the first fixed surface in the product templates we know."""
_STATISTICS_AT: Final = {8: 34, 11: 37, 12: 36}
"""Octet index of the end of the overall interval in the statistical templates."""
_UNIT_MINUTES: Final = {0: 1.0, 1: 60.0, 2: 1440.0, 10: 180.0, 11: 360.0, 12: 720.0, 13: 1 / 60}
_STATISTICS: Final = {0: "average", 1: "accumulated", 2: "maximum", 3: "minimum"}


@dataclass(frozen=True)
class Surface:
    """A fixed surface: its code and, where it has one, its value."""

    type: int
    value: float | None


@dataclass(frozen=True)
class GribMessage:
    """What one message says of itself, and where its bytes lie."""

    number: int
    offset: int
    length: int
    discipline: int
    category: int
    parameter: int
    first: Surface
    second: Surface
    reference: datetime
    valid: datetime
    """The time of the field; the end of the span of an accumulation or extreme."""
    step: str
    window_minutes: float
    cells: int
    local_version: int

    def describe(self) -> str:
        """The codes that selectors go by, for messages to people."""
        return (
            f"message {self.number} at byte {self.offset} "
            f"({self.discipline}/{self.category}/{self.parameter}, "
            f"surface {self.first.type}={self.first.value}, {self.step} "
            f"over {self.window_minutes:g} min to {self.valid:%Y-%m-%dT%H:%M})"
        )


@dataclass(frozen=True)
class Frame:
    """The bytes of one message, of either edition."""

    number: int
    offset: int
    length: int


def scan_frames(stream: BinaryIO, where: str) -> Iterator[Frame]:
    """Where every message of a file lies, in order; a damaged one is an error naming its offset."""
    number, position, size = 0, 0, stream.seek(0, 2)
    while (start := _next_message(stream, position, size, where)) is not None:
        number += 1
        length = _check_frame(stream, start, size, number, where)
        yield Frame(number, start, length)
        position = start + length
    if not number:
        raise damaged(where, 0, "the file holds no whole GRIB message")


def scan_messages(stream: BinaryIO, where: str) -> tuple[GribMessage, ...]:
    """Every message of a GRIB2 file, in order."""
    found = []
    for frame in scan_frames(stream, where):
        stream.seek(frame.offset)
        head = stream.read(min(frame.length, _BLOCK))
        found.append(read_header(head, frame.offset, frame.number, where))
    return tuple(found)


def _next_message(stream: BinaryIO, position: int, size: int, where: str) -> int | None:
    """The offset of the next ``GRIB``, past padding and a few stray bytes."""
    stray, at = 0, position
    while at < size:
        stream.seek(at)
        block = stream.read(_BLOCK)
        found = block.find(b"GRIB")
        gap = block if found < 0 else block[:found]
        stray += len(gap) - gap.count(0)
        if stray > _STRAY_LIMIT:
            raise damaged(where, position, "bytes that belong to no GRIB message")
        if found >= 0:
            return at + found
        if at + len(block) >= size:
            return None
        at += len(block) - 3  # the word may lie across two blocks
    return None


def _check_frame(stream: BinaryIO, start: int, size: int, number: int, where: str) -> int:
    stream.seek(start)
    length = message_length(stream.read(_INDICATOR), start, number, where)
    if start + length > size:
        raise damaged(
            where, start, f"message {number} says {length} bytes but only {size - start} are left"
        )
    stream.seek(start + length - 4)
    if stream.read(4) != b"7777":
        raise damaged(where, start, f"message {number} of {length} bytes does not end with 7777")
    return length


def message_length(head: bytes, start: int, number: int, where: str) -> int:
    """The length that the indicator section claims."""
    if len(head) < _INDICATOR or head[:4] != b"GRIB":
        raise damaged(where, start, f"message {number} is cut short in its first section")
    if head[7] not in (1, 2):
        raise damaged(where, start, f"message {number} is GRIB edition {head[7]}")
    length = int.from_bytes(head[8:16] if head[7] == 2 else head[4:7], "big")
    if length < _INDICATOR + 4:
        raise damaged(where, start, f"message {number} says it has {length} bytes")
    return length


def read_header(raw: bytes, offset: int, number: int, where: str) -> GribMessage:
    """What the sections of a message say; ``raw`` needs to hold it up to section 5."""
    length = message_length(raw[:_INDICATOR], offset, number, where)
    if raw[7] != 2:
        raise damaged(where, offset, f"message {number} is GRIB edition {raw[7]}, not 2")
    try:
        sections = dict(_sections(raw, length))
        return _describe(sections, raw[6], offset, length, number)
    except (KeyError, IndexError, struct.error, ValueError, OverflowError) as error:
        raise damaged(where, offset, f"the header of message {number} is damaged") from error


def _sections(raw: bytes, length: int) -> Iterator[tuple[int, bytes]]:
    """Sections 1 to 5 by number; a second product in the same message is refused."""
    position = _INDICATOR
    while position + 5 <= min(len(raw), length):
        size = int.from_bytes(raw[position : position + 4], "big")
        number = raw[position + 4]
        if size < 5 or number > 7 or position + size > length:
            raise ValueError("a section overruns its message")
        if number > 5:
            return
        yield number, raw[position : position + size]
        position += size


def _describe(
    sections: dict[int, bytes], discipline: int, offset: int, length: int, number: int
) -> GribMessage:
    product = sections[4]
    template = int.from_bytes(product[7:9], "big")
    reference = datetime(int.from_bytes(sections[1][12:14], "big"), *sections[1][14:19])
    message = GribMessage(
        number=number,
        offset=offset,
        length=length,
        discipline=discipline,
        category=product[9],
        parameter=product[10],
        first=Surface(-1, None),
        second=Surface(-1, None),
        reference=reference,
        valid=reference,
        step=f"template {template}",
        window_minutes=0.0,
        cells=_cells(sections[3]),
        local_version=sections[1][10],
    )
    at = _SURFACES_AT.get(template)
    if at is None:
        return message  # of a kind that no selector can name
    return _with_product(message, product, template, at)


def _with_product(message: GribMessage, product: bytes, template: int, at: int) -> GribMessage:
    unit, forecast = product[at - 5], _signed(product[at - 4 : at])
    valid = message.reference + timedelta(minutes=forecast * _UNIT_MINUTES[unit])
    step, window = "instant", 0.0
    if template in _STATISTICS_AT:
        end = _STATISTICS_AT[template]
        valid = datetime(int.from_bytes(product[end : end + 2], "big"), *product[end + 2 : end + 7])
        kind, length_unit = product[end + 12], product[end + 14]
        step = _STATISTICS.get(kind, f"statistic {kind}")
        window = int.from_bytes(product[end + 15 : end + 19], "big") * _UNIT_MINUTES[length_unit]
    return replace(
        message,
        first=_surface(product[at : at + 6]),
        second=_surface(product[at + 6 : at + 12]),
        valid=valid,
        step=step,
        window_minutes=window,
    )


def _surface(raw: bytes) -> Surface:
    scaled = int.from_bytes(raw[2:6], "big")
    if raw[0] == 255 or raw[1] == 255 or scaled == _MISSING_U32:
        return Surface(raw[0], None)
    scale = _signed(raw[1:2])
    return Surface(
        raw[0], _signed(raw[2:6]) / 10**scale if scale >= 0 else _signed(raw[2:6]) * 10.0**-scale
    )


def _signed(raw: bytes) -> int:
    """GRIB writes negative numbers as a sign bit and a magnitude."""
    value = int.from_bytes(raw, "big")
    sign = 1 << (8 * len(raw) - 1)
    return -(value - sign) if value & sign else value


def _cells(grid: bytes) -> int:
    """The larger of the declared count and, in the common grids, rows times columns."""
    declared = int.from_bytes(grid[6:10], "big")
    template = int.from_bytes(grid[12:14], "big")
    if template in (0, 1, 10, 20, 30, 31) and len(grid) >= 38:
        columns, rows = (int.from_bytes(grid[i : i + 4], "big") for i in (30, 34))
        if _MISSING_U32 not in (columns, rows):
            return max(declared, rows * columns)
    return declared


def damaged(where: str, offset: int, what: str) -> RegError:
    """The error for a file whose bytes cannot be trusted from ``offset`` on."""
    return IntegrityError(
        "REG-530",
        what,
        where=f"{where} at byte {offset}",
        hint="fetch the file again: nothing was read from it",
    )
