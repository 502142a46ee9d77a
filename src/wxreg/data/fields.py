"""Reading fields of a canonical store, plane by plane, as fast as its chunks decode.

A channel is ``t2m``, or ``t@500`` on a level.  Each chunk is decoded once a request; a store
whose channels fit the declared memory is decoded once altogether.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

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

    def among(self, times: Any) -> tuple[Any, ...]:
        """The index that selects this plane at those times."""
        return (times,) if self.level is None else (times, self.level)


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
        planes = [self._arrays[plane.array][plane.among(...)] for plane in self._planes]
        if not planes:
            return np.empty((0, *self.shape), np.float32)
        return np.stack([np.asarray(plane, np.float32) for plane in planes])

    def at(self, times: NDArray[np.int64], channels: Sequence[int] | None = None) -> Floats:
        """Channels (all, or those numbers) at positions on the time axis ``(T, C, Y, X)``.

        NaN is missing.
        """
        numbers = tuple(range(len(self.channels))) if channels is None else tuple(channels)
        unique, back = np.unique(times, return_inverse=True)
        if not self._keep:
            found = self._decode(unique, numbers)
            return found if np.array_equal(unique, times) else found[back.reshape(-1)]
        if self._kept is None:
            shape = (len(self.axis.seconds), len(self.channels), *self.shape)
            self._kept = np.empty(shape, np.float32)
        for number in numbers:
            absent = unique[~self._have[number, unique]]
            if absent.size:
                self._kept[absent, number] = self._decode(absent, (number,))[:, 0]
                self._have[number, absent] = True
        return self._kept[times[:, None], np.asarray(numbers, np.int64)[None, :]]

    def warm(self) -> None:
        """Decode everything now where it fits, so that worker processes share it."""
        if self._keep:
            self.at(np.arange(len(self.axis.seconds)))

    def _decode(self, times: NDArray[np.int64], numbers: Sequence[int]) -> Floats:
        """Read sorted, distinct times: each run of consecutive ones as one plain slice."""
        found = np.empty((len(times), len(numbers), *self.shape), np.float32)
        borders = np.flatnonzero(np.diff(times) != 1) + 1
        runs = [run for run in np.split(np.arange(len(times)), borders) if len(run)]
        wanted = [(place, run) for place in range(len(numbers)) for run in runs]

        def read(one: tuple[int, NDArray[np.intp]]) -> None:
            place, run = one
            first, last = int(times[run[0]]), int(times[run[-1]])
            rows = slice(int(run[0]), int(run[-1]) + 1)
            found[rows, place] = self._run(numbers[place], first, last)

        for _ in _threads(os.getpid()).map(read, wanted):
            pass
        return found

    def _run(self, number: int, first: int, last: int) -> Floats:
        plane = self._planes[number]
        try:
            fields: Floats = self._arrays[plane.array][plane.among(slice(first, last + 1))]
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            raise self._damaged(self.channels[number], first, last, error) from error
        self._refuse_vanished(number, first, fields)
        return fields

    def _refuse_vanished(self, number: int, first: int, fields: Floats) -> None:
        """A chunk that is gone reads as NaN: only fields that are flagged may be all missing."""
        plane = self._planes[number]
        missing = self._missing.get(plane.array)
        if missing is None or plane.level is not None:
            return
        for place in np.flatnonzero(np.isnan(fields[:, 0, 0])):
            at = first + int(place)
            if self.axis.usable[at] and not missing[at] and np.isnan(fields[place]).all():
                gone = FileNotFoundError("its chunk is gone")
                raise self._damaged(self.channels[number], at, at, gone)

    def _damaged(self, channel: str, first: int, last: int, error: Exception) -> IntegrityError:
        ends = self.axis.seconds[[first, last]].astype("datetime64[s]").astype(str)
        shown = ends[0] if first == last else f"{ends[0]} to {ends[1]}"
        return IntegrityError(
            "REG-536",
            f"{channel} cannot be read at {shown}: {error}",
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
