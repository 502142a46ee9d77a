"""The forecast store: written field by field as a forecast is made, and read back when whole.

While it is written the store says so and readers refuse it.  The digest of each field is
computed by the thread that writes it and kept in the journal, which becomes the payload index
(``<store>.index.jsonl``) when every field is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from wxreg.artifacts.digests import field_digest, merkle_root
from wxreg.artifacts.sealing import storage_errors
from wxreg.data.forecast_index import (
    FieldEntry,
    Place,
    entry_line,
    index_beside,
    journal_beside,
    read_entries,
    write_entries,
)
from wxreg.data.forecast_layout import ForecastLayout, make_arrays
from wxreg.data.windows import Start
from wxreg.errors import Conflict, IntegrityError, NotFound, UsageError

CLAIM = "wxreg"


class ForecastWriter:
    """Writes a forecast; as a context manager it waits for what is under way.

    ``claim`` says what made it; it stands in the attributes under ``wxreg``.
    """

    def __init__(
        self, path: Path, layout: ForecastLayout, claim: Mapping[str, Any], threads: int = 2
    ) -> None:
        """Begin a store, or go on with one of the same layout and claim."""
        self.path = path
        self.layout = layout
        self._entries: dict[Place, FieldEntry] = {}
        self._positions = {start: number for number, start in enumerate(layout.starts)}
        if len(self._positions) < len(layout.inits):
            raise UsageError(
                "REG-235", "two forecasts begin at one time in one segment", where=str(path)
            )
        about = {"state": "writing", "claim": dict(claim), "outline": layout.outline()}
        with storage_errors(path):
            self._group = self._resume(about) if path.exists() else self._begin(about)
            self._journal = journal_beside(path).open("a", encoding="utf-8")
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="forecast")
        self._threads = threads
        self._waiting: list[Future[list[FieldEntry]]] = []

    def _begin(self, about: dict[str, Any]) -> zarr.Group:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        journal_beside(self.path).unlink(missing_ok=True)
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        group = zarr.open_group(aside, mode="w", zarr_format=3)
        group.attrs.update({"Conventions": "CF-1.11", CLAIM: about})
        make_arrays(group, self.layout)
        aside.rename(self.path)
        return zarr.open_group(self.path, mode="r+")

    def _resume(self, about: dict[str, Any]) -> zarr.Group:
        found = _about(self.path)
        if found.get("state") != "writing":
            raise Conflict(
                "REG-600", "a forecast is there already", where=str(self.path), hint="name another"
            )
        if found != about:
            raise Conflict(
                "REG-635",
                "another forecast was being written here",
                where=str(self.path),
                hint="name another place, or delete the unfinished one",
            )
        for entry in read_entries(journal_beside(self.path), torn=True):
            self._entries[entry.place()] = entry
        write_entries(journal_beside(self.path), list(self._entries.values()))
        for torn in self.path.rglob("*.partial"):  # what zarr was writing when it was killed
            torn.unlink()
        return zarr.open_group(self.path, mode="r+")

    def done(self, init: int, first_member: int, segment: int = 0) -> bool:
        """Whether that init time (of that segment) has that block of members already."""
        last = min(first_member + self.layout.member_block, self.layout.members)
        return all(
            (name, init, lead, member, level or 0.0, segment) in self._entries
            for name, level in map(self.layout.plane, self.layout.planes)
            for lead in self.layout.leads
            for member in range(first_member, last)
        )

    def write(
        self, init: int, first_member: int, values: NDArray[np.float32], segment: int = 0
    ) -> None:
        """Write members from ``first_member`` on: values ``(M, L, D, Y, X)`` of the planes.

        Returns at once while threads are free; the array must not change afterwards.
        """
        layout = self.layout
        block = min(layout.member_block, layout.members - first_member)
        expected = (block, len(layout.leads), len(layout.planes), *layout.shape)
        if (
            values.shape != expected
            or first_member % layout.member_block
            or (init, segment) not in self._positions
        ):
            raise UsageError(
                "REG-235",
                f"a block of shape {values.shape} at member {first_member} does not fit; "
                f"expected {expected}",
                where=str(self.path),
            )
        self._collect(room=self._threads * len(layout.planes))
        for number, plane in enumerate(layout.planes):
            part = values[:, :, number]
            start = Start(init, segment)
            self._waiting.append(
                self._pool.submit(self._write_plane, plane, start, first_member, part)
            )

    def _write_plane(
        self, plane: str, start: Start, first: int, values: NDArray[np.float32]
    ) -> list[FieldEntry]:
        name, level = self.layout.plane(plane)
        entries = [
            FieldEntry(
                name, start.init, lead, first + m, level, field_digest(values[m, l_]), start.segment
            )
            for m in range(values.shape[0])
            for l_, lead in enumerate(self.layout.leads)
        ]
        place: tuple[Any, ...] = (
            self._positions[start],
            slice(None),
            slice(first, first + values.shape[0]),
        )
        if level is not None:
            place += (self.layout.levels.index(level),)
        array: Any = self._group[name]
        with storage_errors(self.path):
            array[place] = np.swapaxes(values, 0, 1).astype(np.float32, copy=False)
        return entries

    def _collect(self, room: int = 0) -> None:
        """Wait until at most ``room`` writes are under way, and journal the finished ones."""
        while len(self._waiting) > room:
            entries = self._waiting.pop(0).result()
            with storage_errors(self.path):
                self._journal.writelines(entry_line(entry) for entry in entries)
                self._journal.flush()
            self._entries.update({entry.place(): entry for entry in entries})

    def finish(self) -> str:
        """Mark the store as whole once every field is written; return its Merkle root."""
        self._collect()
        layout = self.layout
        missing = [
            start
            for start in layout.starts
            for first in range(0, layout.members, layout.member_block)
            if not self.done(start.init, first, start.segment)
        ]
        if missing:
            raise IntegrityError(
                "REG-538", f"{len(missing)} blocks were never written", where=str(self.path)
            )
        entries = sorted(self._entries.values(), key=FieldEntry.place)
        root = merkle_root(entry.digest for entry in entries)
        with storage_errors(self.path):
            write_entries(index_beside(self.path), entries)
            about = _about(self.path)
            self._group.attrs[CLAIM] = {**about, "state": "whole", "merkle": root}
            self._journal.close()
            journal_beside(self.path).unlink()
        return root

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            self._collect()
        self._journal.close()


def open_forecast(path: Path) -> xr.Dataset:
    """A whole forecast, lazily; one still being written is refused."""
    about = _about(path)
    if about.get("state") != "whole":
        raise Conflict(
            "REG-635",
            "this forecast is still being written, or its writing was interrupted",
            where=str(path),
            hint="run the same `reg sample` again: it goes on where it stopped",
        )
    opened: xr.Dataset = xr.open_zarr(path, consolidated=False, decode_timedelta=True)
    return opened


def read_claim(path: Path) -> dict[str, Any]:
    """What a forecast says of itself: ``state``, ``claim``, ``outline``, ``merkle``."""
    return _about(path)


def export_netcdf(path: Path, target: Path) -> None:
    """Write a forecast as NetCDF (float32), chunk by chunk; its claim goes with it."""
    if target.exists():
        raise Conflict("REG-600", "a file is there already", where=str(target))
    opened = open_forecast(path).chunk()
    about = opened.attrs.pop(CLAIM)
    opened.attrs[CLAIM] = json.dumps(about, sort_keys=True)
    encoding = {
        name: {
            "dtype": "float32",
            "zlib": True,
            "complevel": 1,
            "chunksizes": (1,) * (array.ndim - 2) + tuple(min(256, n) for n in array.shape[-2:]),
        }
        for name, array in opened.data_vars.items()
    }
    one_field = {dim: 1 for dim in opened.dims if dim not in ("y", "x")}
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    with storage_errors(target):
        opened.chunk(one_field).to_netcdf(aside, engine="h5netcdf", encoding=encoding)
        aside.rename(target)


def _about(path: Path) -> dict[str, Any]:
    try:
        attributes = zarr.open_group(path, mode="r").attrs.asdict()
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise NotFound("REG-301", f"no forecast is here: {error}", where=str(path)) from error
    about = attributes.get(CLAIM)
    if not isinstance(about, dict):
        raise IntegrityError("REG-537", "this store carries no claim of wxreg", where=str(path))
    return about
