"""The days of a climate comparison: forecast and truth year by year, with no day paired.

Where the protocol pairs times, both sides are the same days; where it does not, every day of
the truth in the protocol's period is counted once beside all the forecast's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.data.fields import FieldStore
from wxreg.runs.evaluating.fields import Field, TruthFields
from wxreg.runs.scoring.keys import StateKey, season_bin, year_and_month
from wxreg.runs.scoring.settings import declared, setting
from wxreg.runs.scoring.wanted import Read, Scoring
from wxreg.scores.quantiles import PairedDistribution
from wxreg.scores.states import State
from wxreg.scores.yearly import YearOfDays

UNPAIRED: Final = frozenset({"climate", "distribution"})
"""The statistics that need no pairing of times."""
_BYTES: Final = 256 << 20
_DAY: Final = 86_400


@dataclass(frozen=True)
class ClimateDays:
    """Which days of the truth count, and the heavy-rain limit of each channel."""

    scoring: Scoring
    members: Mapping[str, int]
    """Of each source."""
    ninety_fifth: Mapping[str, NDArray[np.float64]]
    calendar: str = "standard"
    nearest: NDArray[np.intp] | None = None
    """The forecast cell of each cell of the truth, where the grids differ."""

    def states(
        self, source: str, init: int, lead: int, made: Read, real: Read | None
    ) -> Iterator[tuple[StateKey, State]]:
        """What one field of a source adds, with its truth where times are paired."""
        for channel in self._channels("climate"):
            field = self.taken(made(channel)[...])
            day = None if real is None else real(channel)
            state = self._year(source, channel).update(self._cells(field), self._cells(day))
            yield self._key(source, "climate", channel, init, lead), state
        if self.scoring.protocol.pairing == "distribution":
            for channel in self._channels("distribution"):
                field = self._cells(self.taken(made(channel)[...]))
                state = _one_bin(self._paired(channel).update(field, None))
                yield self._key(source, "distribution", channel, init, lead), state

    def truth_states(
        self, source: str, second: int, leads: tuple[int, ...], real: Read
    ) -> Iterator[tuple[StateKey, State]]:
        """What one day of the truth adds to the side of the truth, for every lead."""
        for lead in leads:
            for channel in self._channels("climate"):
                state = self._year(source, channel).update(None, self._cells(real(channel)))
                yield self._key(source, "climate", channel, second - lead, lead), state
            for channel in self._channels("distribution"):
                state = _one_bin(self._paired(channel).update(None, self._cells(real(channel))))
                yield self._key(source, "distribution", channel, second - lead, lead), state

    def taken(self, field: Field) -> Field:
        """A forecast on the cells of the truth."""
        if self.nearest is None:
            return field
        flat = field.reshape(*field.shape[:-2], -1)[..., self.nearest.ravel()]
        return np.asarray(flat.reshape(*field.shape[:-2], *self.nearest.shape))

    def _channels(self, statistic: str) -> tuple[str, ...]:
        return self.scoring.wanted.get(statistic, ())

    def _cells(self, field: Any) -> Any:
        if field is None or self.nearest is not None:
            return field
        return self.scoring.cells(field)

    def _year(self, source: str, channel: str) -> YearOfDays:
        lat = self.scoring.lat
        shape = self.scoring.cells(lat).shape if self.nearest is None else self.nearest.shape
        limit = self._cells(self.ninety_fifth.get(channel))
        wet = setting(self.scoring.protocol, "climate", "wet", 1.0)
        return YearOfDays(self.members[source], shape, wet, limit)

    def _paired(self, channel: str) -> PairedDistribution:
        variable = self.scoring.variable(channel)
        return PairedDistribution(declared(self.scoring.protocol, "distribution", variable).edges)

    def _key(self, source: str, statistic: str, name: str, init: int, lead: int) -> StateKey:
        bins, bootstrap = self.scoring.protocol.bins, self.scoring.protocol.bootstrap
        season = season_bin(init + lead, self.calendar) if "season" in bins else ""
        block = init // (bootstrap.block.seconds if bootstrap else _DAY)
        if statistic == "climate":
            block = year_and_month(init + lead, self.calendar)[0]
        return StateKey(source, statistic, name, lead, "", season, block)


def _one_bin(state: State) -> State:
    """With the leading axis of atoms that the statistic has where times are paired."""
    return State({name: values[None] for name, values in state.arrays.items()})


def heavy_rain_limit(
    store: FieldStore, channel: str, periods: tuple[tuple[int, int], ...], wet: float
) -> NDArray[np.float64]:
    """The 95th percentile of wet days of a period, per point; NaN where no day was wet.

    Rows are taken in bands, so that memory does not grow with the period.
    """
    seconds = store.axis.seconds
    inside = np.logical_or.reduce([(seconds >= a) & (seconds < b) for a, b in periods])
    places = np.flatnonzero(inside & store.axis_of((channel,)).usable)
    number = store.channels.index(channel)
    rows = max(1, int(_BYTES // (8 * max(len(places), 1) * store.shape[1])))
    found = np.full(store.shape, np.nan)
    for first in range(0, store.shape[0], rows):
        band = slice(first, first + rows)
        days = [store.at(places[n : n + 1], [number])[0, 0, band] for n in range(len(places))]
        if days:
            found[band] = _wet_percentile(np.stack(days).astype(float), wet)
    return found


def _wet_percentile(days: NDArray[np.float64], wet: float) -> NDArray[np.float64]:
    ordered = np.sort(np.where(days >= wet, days, np.nan), axis=0)
    size = np.isfinite(ordered).sum(0)
    place = 0.95 * np.maximum(size - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(size - 1, 0))
    below, above = (np.take_along_axis(ordered, at[None], 0)[0] for at in (low, high))
    return np.asarray(below + (above - below) * (place - low), float)


def nearest_cells(
    lat: NDArray[np.float64], lon: NDArray[np.float64], truth: TruthFields
) -> NDArray[np.intp]:
    """The forecast cell nearest to each place of the truth, on the sphere."""
    from scipy.spatial import cKDTree

    def on_sphere(north: NDArray[np.float64], east: NDArray[np.float64]) -> NDArray[np.float64]:
        phi, theta = np.deg2rad(north.ravel()), np.deg2rad(east.ravel())
        return np.stack(
            [np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], axis=-1
        )

    places = on_sphere(truth.store.lat, truth.store.lon)
    _, index = cKDTree(on_sphere(lat, lon)).query(places)
    return np.asarray(index, np.intp).reshape(truth.store.shape)


def truth_days(truth: TruthFields, periods: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """``(seconds, place)`` of every day of the truth in the periods; all days without any."""
    days = sorted(truth.times())
    if not periods:
        return days
    return [(s, place) for s, place in days if any(a <= s < b for a, b in periods)]
