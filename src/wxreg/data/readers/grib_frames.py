"""Where the messages of a GRIB file lie, of either edition, found by walking their lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from wxreg.errors import IntegrityError, RegError

INDICATOR: Final = 16
END: Final = b"7777"
_STRAY_LIMIT: Final = 128
"""The most bytes that are neither a message nor zeros and still count as stray."""
_BLOCK: Final = 1 << 16


@dataclass(frozen=True)
class Frame:
    """The bytes of one message, of either edition."""

    number: int
    offset: int
    length: int


def scan_frames(stream: BinaryIO, where: str) -> Iterator[Frame]:
    """Where every message of a file lies, in order; a damaged one is an error naming its offset.

    Only the two ends of each message are read, so that a remote file costs little.
    """
    number, position, size = 0, 0, stream.seek(0, 2)
    while (start := _next_message(stream, position, size, where)) is not None:
        number += 1
        length = _check_frame(stream, start, size, number, where)
        yield Frame(number, start, length)
        position = start + length
    if not number:
        raise damaged(where, 0, "the file holds no whole GRIB message")


def _next_message(stream: BinaryIO, position: int, size: int, where: str) -> int | None:
    """The offset of the next ``GRIB``, past padding and a few stray bytes."""
    stream.seek(position)
    if stream.read(4) == b"GRIB":
        return position
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
    length = message_length(stream.read(INDICATOR), start, number, where)
    if start + length > size:
        raise damaged(
            where, start, f"message {number} says {length} bytes but only {size - start} are left"
        )
    stream.seek(start + length - len(END))
    if stream.read(len(END)) != END:
        raise damaged(where, start, f"message {number} of {length} bytes does not end with 7777")
    return length


def message_length(head: bytes, start: int, number: int, where: str) -> int:
    """The length that the indicator section claims."""
    if len(head) < INDICATOR or head[:4] != b"GRIB":
        raise damaged(where, start, f"message {number} is cut short in its first section")
    if head[7] not in (1, 2):
        raise damaged(where, start, f"message {number} is GRIB edition {head[7]}")
    length = int.from_bytes(head[8:16] if head[7] == 2 else head[4:7], "big")
    if length < INDICATOR + len(END):
        raise damaged(where, start, f"message {number} says it has {length} bytes")
    return length


def damaged(where: str, offset: int, what: str) -> RegError:
    """The error for a file whose bytes cannot be trusted from ``offset`` on."""
    return IntegrityError(
        "REG-530",
        what,
        where=f"{where} at byte {offset}",
        hint="fetch the file again: nothing was read from it",
    )
