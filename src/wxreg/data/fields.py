"""Reading fields of a canonical store, plane by plane, as fast as its chunks decode.

A channel is ``t2m``, or ``t@500`` on a level.  Each chunk is decoded once a request; a store
whose channels fit the declared memory is decoded once altogether.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from wxreg.data.chunks import chunks_of
from wxreg.data.clock import moment_keys
from wxreg.data.stores import FLAGS
from wxreg.data.windows import Axis, seconds_since_epoch
from wxreg.errors import IntegrityError, NotFound
from wxreg.ids import near_names

Floats = NDArray[np.float32]
_AT_ONCE: Final = 4


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """The threads that decode in this process; they do not live on in a forked one."""
    return ThreadPoolExecutor(_AT_ONCE, f"decode-{process}")


@dataclass(frozen=True)
class Plane:
    """Where a channel lies: an array of the store, and the position of its level."""

    array: str
    level: int | None


class FieldStore:
    """The chosen channels of one canonical store."""

    def __init__(self, path: Path, channels: Sequence[str], memory: int = 0) -> None:
        """Open ``path``; with room in ``memory`` bytes the channels are decoded only once."""
        self.path = path
        self.channels = tuple(channels)
        self._group = zarr.open_group(path, mode="r")
        with xr.open_zarr(path, consolidated=False) as opened:
            self._read_coordinates(opened)
            self._planes = tuple(self._locate(opened, channel) for channel in channels)
        self._arrays: dict[str, Any] = {
            plane.array: self._group[plane.array] for plane in self._planes
        }
        self._chunks = {
            name: chunks_of(path, array) for name, array in self._arrays.items() if array.ndim > 2
        }
        cells = self.shape[0] * self.shape[1]
        times = len(self.axis.seconds)
        self._keep = 4 * cells * times * len(self.channels) <= memory
        self._kept: Floats | None = None
        self._have = np.zeros((len(self.channels), times), bool)

    def _read_coordinates(self, opened: xr.Dataset) -> None:
        self.shape = (opened.sizes["y"], opened.sizes["x"])
        self.events = tuple(map(str, opened.attrs.get("events", ())))  # by their segment
        self.y, self.x = (np.asarray(opened[name].values, np.float64) for name in ("y", "x"))
        self.lat, self.lon = (_plane(opened, name, self.shape) for name in ("lat", "lon"))
        self.calendar = "standard"
        if "time" in opened.dims:
            self.axis = _axis(opened)
            self._missing = _missing_fields(opened)
            self.calendar = opened["time"].dt.calendar
        else:
            self.axis = Axis.build(np.empty(0, np.int64))
            self._missing = {}

    def _locate(self, opened: xr.Dataset, channel: str) -> Plane:
        name, _, level = channel.partition("@")
        if name not in opened.data_vars:
            near = near_names(name, map(str, opened.data_vars))
            raise NotFound(
                "REG-335",
                f"the store has no variable {name!r}",
                where=str(self.path),
                hint=f"did you mean {' or '.join(near)}?" if near else None,
            )
        if not level:
            return Plane(name, None)
        levels = opened["level"].values
        found = np.flatnonzero(np.isclose(levels, float(level)))
        if not found.size:
            shown = ", ".join(f"{value:g}" for value in levels)
            raise NotFound(
                "REG-335",
                f"{name} has no level {level}",
                where=str(self.path),
                hint=f"levels: {shown}",
            )
        return Plane(name, int(found[0]))

    def axis_of(self, channels: Sequence[str]) -> Axis:
        """The time axis, without the times that lack the whole field of one of these channels."""
        usable = self.axis.usable.copy()
        for name in {channel.partition("@")[0] for channel in channels} & set(self._missing):
            usable &= ~self._missing[name]
        return replace(self.axis, usable=usable)

    def static(self) -> Floats:
        """The channels as fields without time ``(C, Y, X)``."""
        planes = [self._arrays[plane.array][...] for plane in self._planes]
        if not planes:
            return np.empty((0, *self.shape), np.float32)
        return np.stack([np.asarray(plane, np.float32) for plane in planes])

    def at(self, times: NDArray[np.int64], channels: Sequence[int] | None = None) -> Floats:
        """Channels (all, or those numbers) at positions on the time axis ``(T, C, Y, X)``.

        NaN is missing.
        """
        numbers = tuple(range(len(self.channels))) if channels is None else tuple(channels)
        if not self._keep:
            return self._decoded(times, numbers)
        kept = self._kept_fields()
        for number in numbers:
            absent = np.unique(times[~self._have[number, times]])
            self._decode((number,), [(int(t), kept[t, number : number + 1]) for t in absent])
            self._have[number, absent] = True
        return kept[times[:, None], np.asarray(numbers, np.int64)[None, :]]

    def warm(self) -> None:
        """Decode everything now where it fits, so that worker processes share it."""
        if self._keep:
            self.at(np.arange(len(self.axis.seconds)))

    def _kept_fields(self) -> Floats:
        """Room for every field, filled as they are asked for."""
        if self._kept is None:
            shape = (len(self.axis.seconds), len(self.channels), *self.shape)
            self._kept = np.empty(shape, np.float32)
        return self._kept

    def _decoded(self, times: NDArray[np.int64], numbers: Sequence[int]) -> Floats:
        """Each distinct time is decoded once, into the first place that wants it."""
        found = np.empty((len(times), len(numbers), *self.shape), np.float32)
        _, first, back = np.unique(times, return_index=True, return_inverse=True)
        self._decode(numbers, [(int(times[row]), found[row]) for row in first])
        for row, source in enumerate(first[back.reshape(-1)]):
            if row != source:
                found[row] = found[source]
        return found

    def _decode(self, numbers: Sequence[int], wanted: Sequence[tuple[int, Floats]]) -> None:
        """Read channels at some times, each into its fields ``(C, Y, X)``."""
        by_array: dict[str, list[tuple[int, int]]] = {}
        for place, number in enumerate(numbers):
            by_array.setdefault(self._planes[number].array, []).append((place, number))
        jobs = [
            partial(self._read, array, places, time, out)
            for array, places in by_array.items()
            for time, out in wanted
        ]
        for _ in _threads(os.getpid()).map(lambda job: job(), jobs):
            pass

    def _read(self, array: str, places: list[tuple[int, int]], time: int, out: Floats) -> None:
        """Decode one chunk: a field, or the fields of all levels of which some are wanted."""
        chunks, shape = self._chunks[array], self._arrays[array].shape
        try:
            if self._planes[places[0][1]].level is None:
                for place, number in places:
                    chunks.read(time, out[place])
                    self._refuse_vanished(number, time, out[place])
                return
            levels = np.empty(shape[1:], np.float32)
            chunks.read(time, levels)
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            raise self._damaged(places, time, error) from error
        for place, number in places:
            out[place] = levels[self._planes[number].level]

    def _refuse_vanished(self, number: int, time: int, field: Floats) -> None:
        """A chunk that is gone reads as NaN: only fields that are flagged may be all missing."""
        missing = self._missing.get(self._planes[number].array)
        if missing is None or missing[time] or not self.axis.usable[time]:
            return
        if np.isnan(field[0, 0]) and np.isnan(field).all():
            raise FileNotFoundError("its chunk is gone")

    def _damaged(
        self, places: list[tuple[int, int]], time: int, error: Exception
    ) -> IntegrityError:
        channels = ", ".join(self.channels[number] for _, number in places)
        moment = self.axis.seconds[time].astype("datetime64[s]")
        return IntegrityError(
            "REG-536",
            f"{channels} cannot be read at {moment}: {error}",
            where=str(self.path),
            hint="check the version with `reg data check`, or prepare it again",
        )


def _axis(opened: xr.Dataset) -> Axis:
    times = opened["time"].values
    segments = opened["segment"].values if "segment" in opened.coords else None
    missing = set(opened.attrs.get("missing_times", ()))
    usable = np.array([key not in missing for key in moment_keys(opened)], bool)
    return Axis.build(seconds_since_epoch(times), segments, usable)


def _missing_fields(opened: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    """For each variable that the store keeps flags of, the times whose field is missing.

    Stores of separate events keep none: frames that a satellite missed are only masked there.
    """
    if "quality_flag" not in opened.variables or "segment" in opened.coords:
        return {}
    flags = opened["quality_flag"]
    gone = flags.values == FLAGS["missing"]
    return {name: gone[:, number] for number, name in enumerate(flags.attrs["fields"])}


def _plane(opened: xr.Dataset, name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """A coordinate as a plane; NaN where the store has none (events that lie anywhere)."""
    if name not in opened.variables:
        return np.full(shape, np.nan)
    return np.asarray(opened[name].values, np.float64)
