"""The two sides of an evaluation: a forecast store and the truth it is held against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from wxreg.data.fields import FieldStore
from wxreg.data.forecast_files import open_forecast, read_claim
from wxreg.data.windows import Start, seconds_since_epoch
from wxreg.errors import IntegrityError
from wxreg.runs.scoring.bands import StoredMembers
from wxreg.runs.scoring.heads import heads_of

Field = NDArray[np.floating[Any]]


class ForecastFields:
    """A whole forecast, read one channel of one init and lead at a time."""

    def __init__(self, path: Path) -> None:
        """Open it; one that is still being written is refused."""
        self.path = path
        with open_forecast(path) as opened:
            self.lat, self.lon = (
                np.asarray(opened[name].values, np.float64) for name in ("lat", "lon")
            )
            self.calendar = str(opened["init_time"].dt.calendar)
            self.inits = [int(s) for s in seconds_since_epoch(opened["init_time"].values)]
            events = opened["segment"].values.tolist() if "segment" in opened.coords else None
            self.starts = list(map(Start, self.inits, events or [0] * len(self.inits)))
            leads = opened["lead_time"].values.astype("timedelta64[s]").astype(np.int64)
            self.leads = tuple(int(lead) for lead in leads)
            self.members = int(opened.sizes["member"])
            self.levels = (
                [float(one) for one in opened["level"].values] if "level" in opened.coords else []
            )
            self.units = {
                str(name): str(array.attrs.get("units", ""))
                for name, array in opened.data_vars.items()
            }
        about = read_claim(path)
        self.claim: dict[str, Any] = about["claim"]
        self.digest = str(about["merkle"])
        self.channels = tuple(about["outline"]["channels"])
        self.heads = heads_of(about["outline"], str(path))
        self._group = zarr.open_group(path, mode="r")

    def read(self, init: int, lead: int, channel: str) -> Field:
        """All members of a channel ``(M, Y, X)`` at those positions of the axes."""
        return self.members_of(init, lead, channel)[...]

    def members_of(self, init: int, lead: int, channel: str) -> StoredMembers:
        """The same, read when it is indexed."""
        name, _, level = channel.partition("@")
        between = (self.levels.index(float(level)),) if level else ()
        array: Any = self._group[name]

        def read(index: tuple[Any, ...]) -> Field:
            member, *cells = index
            try:
                return np.asarray(array[(init, lead, member, *between, *cells)])
            except (ValueError, OSError, RuntimeError, KeyError) as error:
                raise IntegrityError(
                    "REG-536",
                    f"{channel} of init {init} and lead {lead} cannot be read: {error}",
                    where=str(self.path),
                    hint="`reg verify` says what is damaged; sample the forecast again",
                ) from error

        return StoredMembers((self.members, *array.shape[-2:]), read)


class TruthFields:
    """The truth at the valid times of a forecast."""

    def __init__(self, path: Path, channels: tuple[str, ...]) -> None:
        self.store = FieldStore(path, channels)
        axis = self.store.axis_of(channels)
        self._places: dict[tuple[int, int], int] = {}
        for place, (second, segment) in enumerate(zip(axis.seconds, axis.segments, strict=True)):
            if axis.usable[place]:
                self._places[int(segment), int(second)] = place

    def place(self, start: Start, lead: int) -> int | None:
        """Where the valid time lies in the store, in the segment of the start; none if missing."""
        return self._places.get((start.segment, start.init + lead))

    def times(self) -> list[tuple[int, int]]:
        """``(seconds, place)`` of every usable time."""
        return [(second, place) for (_, second), place in self._places.items()]

    def at(self, place: int) -> Callable[[str], Field]:
        """The fields of one place, by channel."""
        return lambda channel: self.read(place, channel)

    def read(self, place: int, channel: str) -> Field:
        """One field ``(Y, X)``; NaN is missing."""
        number = self.store.channels.index(channel)
        field: Field = self.store.at(np.array([place]), [number])[0, 0]
        return field
