"""Files of GRIB messages on a disk or behind a URL, indexed once and read by byte range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

import fsspec

from wxreg.data.readers.grib_index import IndexRecord, matching, parse_index
from wxreg.data.readers.grib_messages import GribMessage, damaged, read_header, scan_messages
from wxreg.errors import ExternalError
from wxreg.specs.variables import GribSelector


@dataclass(frozen=True)
class ByteRange:
    """Where one message lies; no end means up to the end of the file."""

    path: str
    start: int
    end: int | None
    number: int


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
        """The bytes of one message, and no stray ones behind it."""
        filesystem, root = self.filesystem()
        path = f"{root}/{where.path}"
        try:
            data = filesystem.cat_file(path, start=where.start, end=where.end)
        except (OSError, ValueError) as error:
            raise ExternalError("REG-730", f"reading failed: {error}", where=path) from error
        header = read_header(data, where.start, where.number, path)
        if len(data) < header.length or data[header.length - 4 : header.length] != b"7777":
            raise damaged(path, where.start, f"message {where.number} is cut short")
        return bytes(data[: header.length])


@dataclass(frozen=True)
class FileIndex:
    """What one file holds: from its own headers, or for a remote one from its wgrib2 index."""

    path: str
    messages: tuple[GribMessage, ...] = ()
    records: tuple[IndexRecord, ...] = ()

    def find(self, selector: GribSelector, window: float, valid: datetime) -> list[ByteRange]:
        """The messages that ``selector`` names with that span and time; the caller judges."""
        if self.records and selector.idx:
            return self._by_record(selector, window, valid)
        return [
            ByteRange(self.path, message.offset, message.offset + message.length, message.number)
            for message in self.messages
            if selects(selector, window, message) and message.valid == valid
        ]

    def _by_record(self, selector: GribSelector, window: float, valid: datetime) -> list[ByteRange]:
        end = round((valid - self.records[0].reference).total_seconds() / 60)
        found = matching(self.records, selector.idx or "", selector.step, int(window), end)
        return [ByteRange(self.path, r.offset, r.end, r.number) for r in found]


def open_index(archive: Archive, path: str, by_name: bool) -> FileIndex | None:
    """The index of one file, or None if there is no such file.

    A local file is scanned.  A remote one is read through its ``.idx`` where every selector has
    an index name (``by_name``) and the index exists; otherwise it is fetched whole and scanned.
    """
    filesystem, root = archive.filesystem()
    where = f"{root}/{path}"
    try:
        if _is_local(filesystem):
            with filesystem.open(where, "rb") as stream:
                return FileIndex(path, messages=scan_messages(stream, where))
        if by_name and (index := _fetch(filesystem, f"{where}.idx")) is not None:
            return FileIndex(path, records=parse_index(index, f"{where}.idx"))
        data = _fetch(filesystem, where)
    except FileNotFoundError:
        return None
    if data is None:
        return None
    return FileIndex(path, messages=scan_messages(BytesIO(data), where))


def _is_local(filesystem: Any) -> bool:
    protocol = filesystem.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def _fetch(filesystem: Any, where: str) -> bytes | None:
    try:
        return bytes(filesystem.cat_file(where))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExternalError("REG-730", f"reading failed: {error}", where=where) from error


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
