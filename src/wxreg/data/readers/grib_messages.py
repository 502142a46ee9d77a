"""The messages of a GRIB2 file, found and described without decoding any values.

Headers are read from the bytes themselves: the selection must not depend on a name table that
calls half of HRRR's fields ``unknown``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from wxreg.data.readers.grib_frames import INDICATOR, Frame, damaged, scan_frames
from wxreg.data.readers.grib_sections import fields_of

_DESCRIBING: Final = (1, 3, 4)
"""The sections that say when, where and what a field is."""
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
    part: int | None = None
    """Which field of its message, from 1; none where the message holds one."""

    def describe(self) -> str:
        """The codes that selectors go by, for messages to people."""
        return (
            f"message {self.number} at byte {self.offset} "
            f"({self.discipline}/{self.category}/{self.parameter}, "
            f"surface {self.first.type}={self.first.value}, {self.step} "
            f"over {self.window_minutes:g} min to {self.valid:%Y-%m-%dT%H:%M})"
        )


def scan_messages(stream: BinaryIO, where: str) -> tuple[GribMessage, ...]:
    """Every field of a GRIB2 file, in order; only headers are read."""
    return tuple(
        message
        for frame in scan_frames(stream, where)
        for message in describe_message(stream, frame, where)
    )


def describe_message(stream: BinaryIO, frame: Frame, where: str) -> list[GribMessage]:
    """What each field of one message is."""
    stream.seek(frame.offset)
    head = stream.read(INDICATOR)
    if head[7] != 2:
        what = f"message {frame.number} is GRIB edition {head[7]}, not 2"
        raise damaged(where, frame.offset, what)
    try:
        fields = [
            _describe({at: sections[at].read(stream) for at in _DESCRIBING}, head[6], frame)
            for sections in fields_of(stream, frame, where)
        ]
    except (KeyError, IndexError, struct.error, ValueError, OverflowError) as error:
        what = f"the header of message {frame.number} is damaged"
        raise damaged(where, frame.offset, what) from error
    if len(fields) == 1:
        return fields
    return [replace(field, part=part) for part, field in enumerate(fields, 1)]


def _describe(sections: dict[int, bytes], discipline: int, frame: Frame) -> GribMessage:
    product = sections[4]
    template = int.from_bytes(product[7:9], "big")
    reference = datetime(int.from_bytes(sections[1][12:14], "big"), *sections[1][14:19])
    message = GribMessage(
        number=frame.number,
        offset=frame.offset,
        length=frame.length,
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
