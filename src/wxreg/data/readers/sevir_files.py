"""The HDF5 files of SEVIR: arrays of (event, row, column, frame), and lists of flashes."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import fsspec
import h5py
import numpy as np
from numpy.typing import NDArray

from wxreg.data.patience import passing, patiently
from wxreg.data.readers.damage_record import DamageRecord
from wxreg.data.readers.hdf5_streams import open_hdf5
from wxreg.data.reading import CELL_LIMIT
from wxreg.errors import ExternalError, IntegrityError

FRAMES: Final = 49
CADENCE_MINUTES: Final = 5
LIGHTNING_METRES: Final = 8000
_MISSING_CODE: Final = 255
_NO_IMAGE: Final = -32768
_FLASH_COLUMNS: Final = 5
"""``[t, lat, lon, X, Y]``."""
Floats = NDArray[np.float32]
EventPlace = tuple[str, str, int, str]
"""File, image type, position in the file, and id of an event."""


@dataclass(frozen=True)
class SevirArchive:
    """Where the files lie, and which of them are damaged."""

    root: str
    storage: Mapping[str, Any] = field(default_factory=dict)
    record: Path | None = None
    """A file in which damage is remembered, so that each file is tried only once."""

    def catalogue(self) -> bytes:
        """The bytes of the catalogue."""
        place = f"{self.root.rstrip('/')}/CATALOG.csv"
        filesystem, path = fsspec.core.url_to_fs(place, **self.storage)
        try:
            return bytes(patiently(partial(filesystem.cat_file, path), place))
        except FileNotFoundError as error:
            raise IntegrityError("REG-536", "there is no CATALOG.csv", where=place) from error

    def path(self, name: str) -> str:
        """The place of a file that the catalogue names."""
        return f"{self.root.rstrip('/')}/data/{name}"

    @contextmanager
    def open(self, name: str) -> Iterator[h5py.File]:
        """A file, closed afterwards; ``IntegrityError`` names what is wrong with it.

        Trouble on the way to the file is no damage: it is raised as it comes.
        """
        place = self.path(name)
        try:
            with open_hdf5(place, self.storage) as opened:
                yield opened
        except (OSError, KeyError, RuntimeError) as error:
            if passing(error):
                raise
            if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
                raise ExternalError("REG-730", f"reading failed: {error}", where=place) from error
            raise IntegrityError(
                "REG-536", f"the HDF5 file is damaged: {error}", where=place
            ) from error

    def damaged(self, names: list[str]) -> dict[str, str]:
        """Which of these files cannot be opened, and why."""
        record = DamageRecord(self.record)
        tried = {
            name: record.damage(name, self._stamp(name), partial(self._try, name)) for name in names
        }
        record.save()
        return {name: why for name, why in tried.items() if why is not None}

    def damaged_events(self, events: Iterable[EventPlace]) -> dict[EventPlace, str]:
        """Which of these events cannot be read, and why; only where findings are remembered.

        Each is read through once, which for a large archive takes as long as preparing it.
        """
        record = DamageRecord(self.record)
        if not record.remembers:
            return {}
        stamps: dict[str, str | None] = {}
        found = {}
        for place in events:
            name, image, index, event = place
            if name not in stamps:
                stamps[name] = self._stamp(name)
            read = partial(event_codes.__wrapped__, self, name, image, index, event)
            trial = partial(patiently, read, self.path(name))
            found[place] = record.damage(f"{name}#{image}#{event}", stamps[name], trial)
        record.save()
        return {place: why for place, why in found.items() if why is not None}

    def _try(self, name: str) -> None:
        def listed() -> None:
            with self.open(name) as opened:
                _ = list(opened)

        patiently(listed, self.path(name))

    def _stamp(self, name: str) -> str | None:
        """What tells this file from a later one of the same name; none where there is none."""
        filesystem, path = fsspec.core.url_to_fs(self.path(name), **self.storage)
        try:
            about = patiently(partial(filesystem.info, path), self.path(name))
        except FileNotFoundError:
            return None
        when = about.get("ETag") or about.get("mtime") or about.get("LastModified")
        return f"{about.get('size')} bytes, {when}"

    def __hash__(self) -> int:
        return hash((self.root, self.record))


@lru_cache(maxsize=4)
def event_codes(archive: SevirArchive, name: str, image: str, index: int, event: str) -> Any:
    """The stored numbers of one event ``(row, column, frame)``."""
    with archive.open(name) as opened:
        codes, ids = opened[image], opened["id"]
        whole = codes.ndim == 4 and codes.shape[3] == FRAMES and 0 <= index < codes.shape[0]
        if not whole or codes.shape[1] * codes.shape[2] > CELL_LIMIT:
            raise IntegrityError(
                "REG-536",
                f"{image} has the shape {codes.shape}; expected (events, rows, columns, {FRAMES}) "
                f"with event {index}",
                where=archive.path(name),
            )
        found = ids[index]
        text = found.decode() if isinstance(found, bytes) else str(found)
        if text != event:
            raise IntegrityError(
                "REG-536",
                f"event {index} of the file is {text}, the catalogue says {event}",
                where=archive.path(name),
            )
        return codes[index]


@lru_cache(maxsize=4)
def event_lightning(
    archive: SevirArchive, name: str, event: str, offsets: tuple[int, ...], cells: int
) -> Any:
    """Flashes of one event counted on cells of 8 km in the five minutes before each frame."""
    with archive.open(name) as opened:
        listed = opened[event]
        if listed.ndim != 2 or listed.shape[1] != _FLASH_COLUMNS or listed.size > CELL_LIMIT:
            raise IntegrityError(
                "REG-536",
                f"the flashes of {event} have the shape {listed.shape}; expected (flash, 5)",
                where=archive.path(name),
            )
        flashes = np.asarray(listed[...], np.float64)
    return count_flashes(flashes, offsets, cells)


def count_flashes(flashes: NDArray[np.float64], offsets: tuple[int, ...], cells: int) -> Floats:
    """``[t, lat, lon, X, Y]`` rows as counts ``(row, column, frame)``.

    ``t`` is in seconds relative to the event's time; a frame counts the five minutes up to it.
    Frame 0 has no five minutes of data before it, so it is missing.
    """
    counts = np.zeros((cells, cells, len(offsets)), np.float32)
    if flashes.size:
        ends = np.asarray(offsets, np.float64) * 60
        frame = np.searchsorted(ends, flashes[:, 0], side="left")
        column, row = (np.floor(flashes[:, axis]).astype(np.int64) for axis in (3, 4))
        good = (frame < len(offsets)) & (flashes[:, 0] > ends[0])
        for place in (row, column):
            good &= (place >= 0) & (place < cells)
        np.add.at(counts, (row[good], column[good], frame[good]), 1)
    counts[:, :, 0] = np.nan
    return counts


def decode_vil(codes: NDArray[Any]) -> Floats:
    """Codes as kg/m²: linear for weak echoes, exponential above; 255 is missing."""
    return _VIL_TABLE[codes.astype(np.uint8)]


def _vil_table() -> Floats:
    codes = np.arange(256, dtype=np.float64)
    table = np.zeros(256)
    weak, strong = (codes > 5) & (codes <= 18), codes > 18
    table[weak] = (codes[weak] - 2) / 90.66
    table[strong] = np.exp((codes[strong] - 83.9) / 38.9)
    table[_MISSING_CODE] = np.nan
    return table.astype(np.float32)


_VIL_TABLE: Final = _vil_table()


def decode_image(codes: NDArray[Any], scale: float) -> Floats:
    """Stored whole numbers times ``scale``; the lowest number is missing."""
    values = (codes.astype(np.float64) * scale).astype(np.float32)
    values[codes == _NO_IMAGE] = np.nan
    return values
