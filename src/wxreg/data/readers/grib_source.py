"""Files of GRIB messages on a disk or behind a URL, indexed once and read by byte range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO, Final

import fsspec

from wxreg.data.readers.grib_frames import END, INDICATOR, Frame, damaged, message_length
from wxreg.data.readers.grib_index import IndexRecord, matching, parse_index
from wxreg.data.readers.grib_messages import GribMessage, describe_message, scan_messages
from wxreg.data.readers.grib_sections import single_fields
from wxreg.errors import ExternalError, IntegrityError, RegError
from wxreg.specs.variables import GribSelector

_WALKING: Final = {"block_size": 4096, "cache_type": "blockcache"}
"""How a remote file without an index is walked: its headers, in small pieces."""


@dataclass(frozen=True)
class Wanted:
    """What a message must turn out to be."""

    selector: GribSelector
    window: float
    valid: datetime

    def is_met_by(self, message: GribMessage) -> bool:
        """Whether ``message`` is what was asked for."""
        return selects(self.selector, self.window, message) and message.valid == self.valid


@dataclass(frozen=True)
class ByteRange:
    """Where one message lies; no end means up to the end of the file."""

    path: str
    start: int
    end: int | None
    number: int
    part: int | None = None
    """Which field of the message, from 1; none where it holds one."""
    wanted: Wanted | None = None
    """What an index says of it, to be compared with what is read."""


@dataclass(frozen=True)
class Archive:
    """A root under which GRIB files lie."""

    location: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def filesystem(self) -> tuple[Any, str]:
        """Fsspec's file system of the location, and the root within it."""
        filesystem, root = fsspec.core.url_to_fs(self.location, **dict(self.options))
        return filesystem, str(root).rstrip("/")

    def read(self, where: ByteRange) -> bytes:
        """The bytes of one field as a message of its own, and no stray ones behind it."""
        filesystem, root = self.filesystem()
        path = f"{root}/{where.path}"
        try:
            with _remote_errors(path):
                data = bytes(filesystem.cat_file(path, start=where.start, end=where.end))
        except FileNotFoundError as error:
            what = "the file is gone since it was indexed"
            raise ExternalError("REG-730", what, where=path) from error
        length = message_length(data[:INDICATOR], where.start, where.number, path)
        if len(data) < length or data[length - len(END) : length] != END:
            raise damaged(path, where.start, f"message {where.number} is cut short")
        fields = single_fields(data[:length], where.start, where.number, path)
        return _as_wanted(fields, where, path)


def _as_wanted(fields: list[bytes], where: ByteRange, path: str) -> bytes:
    """The field that was meant; an index of another file is found out here."""
    if not 1 <= (where.part or 1) <= len(fields) or (where.part is None and len(fields) > 1):
        raise IntegrityError(
            "REG-531",
            f"message {where.number} holds {len(fields)} fields, the index means {where.part or 1}",
            where=f"{path} at byte {where.start}",
            hint="fetch the index again, or delete it: the file itself is read without one",
        )
    raw = fields[(where.part or 1) - 1]
    if where.wanted is None:
        return raw
    (found,) = describe_message(BytesIO(raw), Frame(where.number, 0, len(raw)), path)
    if not where.wanted.is_met_by(found):
        raise IntegrityError(
            "REG-531",
            f"the index says {where.wanted.selector.idx} at {where.wanted.valid:%Y-%m-%dT%H:%M}, "
            f"the file holds {found.describe()}",
            where=f"{path} at byte {where.start}",
            hint="the index belongs to another file: fetch both again",
        )
    return raw


@dataclass(frozen=True)
class FileIndex:
    """What one file holds: from its own headers, or for a remote one from its wgrib2 index."""

    path: str
    messages: tuple[GribMessage, ...] = ()
    records: tuple[IndexRecord, ...] = ()

    def find(self, selector: GribSelector, window: float, valid: datetime) -> list[ByteRange]:
        """The messages that ``selector`` names with that span and time; the caller judges."""
        wanted = Wanted(selector, window, valid)
        if self.records and selector.idx:
            return self._by_record(wanted, selector.idx)
        return [
            ByteRange(
                self.path, found.offset, found.offset + found.length, found.number, found.part
            )
            for found in self.messages
            if wanted.is_met_by(found)
        ]

    def _by_record(self, wanted: Wanted, key: str) -> list[ByteRange]:
        end = round((wanted.valid - self.records[0].reference).total_seconds() / 60)
        step = wanted.selector.step
        found = matching(self.records, key, step, int(wanted.window), end)
        return [ByteRange(self.path, r.offset, r.end, r.number, r.part, wanted) for r in found]


def open_index(archive: Archive, path: str, by_name: bool) -> FileIndex | None:
    """The index of one file, or None if there is no such file.

    A local file is scanned.  A remote one is read through its ``.idx`` where every selector has
    an index name (``by_name``) and the index exists; otherwise its headers are walked by range.
    """
    filesystem, root = archive.filesystem()
    where = f"{root}/{path}"
    local = _is_local(filesystem)
    if not local and by_name and (index := _fetch(filesystem, f"{where}.idx")) is not None:
        return FileIndex(path, records=parse_index(index, f"{where}.idx"))
    try:
        with (
            _remote_errors(where),
            filesystem.open(where, "rb", **({} if local else _WALKING)) as stream,
        ):
            return FileIndex(path, messages=_walked(stream, where))
    except FileNotFoundError:
        return None


@contextmanager
def _remote_errors(where: str) -> Iterator[None]:
    """What a server or its library raises is outside wxreg; only a missing file is an answer."""
    try:
        yield
    except (RegError, FileNotFoundError):
        raise
    except Exception as error:
        raise ExternalError("REG-730", f"reading failed: {error}", where=where) from error


def _walked(stream: BinaryIO, where: str) -> tuple[GribMessage, ...]:
    if not stream.seekable():
        raise ExternalError(
            "REG-730",
            "the file has no index, and the server serves no byte ranges",
            where=where,
            hint="`reg data fetch` brings whole files; they are read without an index",
        )
    return scan_messages(stream, where)


def _is_local(filesystem: Any) -> bool:
    protocol = filesystem.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def _fetch(filesystem: Any, where: str) -> bytes | None:
    try:
        with _remote_errors(where):
            return bytes(filesystem.cat_file(where))
    except FileNotFoundError:
        return None


def selects(selector: GribSelector, window: float, message: GribMessage) -> bool:
    """Whether ``message`` is what ``selector`` names, its time apart."""
    return (
        (message.discipline, message.category, message.parameter)
        == (selector.discipline, selector.category, selector.number)
        and message.step == selector.step
        and message.window_minutes == window
        and selector.local_version in (None, message.local_version)
        and _on_surface(selector, message)
    )


def _on_surface(selector: GribSelector, message: GribMessage) -> bool:
    first, second = message.first, message.second
    if selector.bounds is not None:
        return _in_layer(selector, message)
    if first.type != selector.level_type or (
        second.value is not None and second.type == first.type
    ):
        return False
    if selector.levels:
        return first.value is not None
    if selector.level is None:
        return first.value in (None, 0.0)
    return first.value is not None and _same(first.value, selector.level)


def _in_layer(selector: GribSelector, message: GribMessage) -> bool:
    assert selector.bounds is not None
    types = {selector.level_type, selector.level_type_2 or selector.level_type}
    values = (message.first.value, message.second.value)
    if {message.first.type, message.second.type} != types or None in values:
        return False
    have = sorted(value for value in values if value is not None)
    return all(_same(a, b) for a, b in zip(have, sorted(selector.bounds), strict=True))


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * max(1.0, abs(b))
