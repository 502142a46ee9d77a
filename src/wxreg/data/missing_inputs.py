"""What a forecast does about missing inputs: refuse, or take an earlier field, as declared.

``previous`` takes the field one time step earlier, and nothing older; ``persistence`` takes the
last one that is there, however old.  Either way the variable alone is replaced, its other
inputs stay, and no field crosses from one event into another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wxreg.data.fields import FieldStore

Filling = Literal["previous", "persistence"]
MissingInputs = Literal["refuse", "previous", "persistence"]
Ints = NDArray[np.int64]
_NOWHERE = -1


@dataclass(frozen=True)
class FilledInput:
    """One field that stands in for a missing one."""

    channel: str
    wanted: int
    """The missing time, in seconds since 1970."""
    taken: int
    """The time whose field is used."""
    segment: int


@dataclass(frozen=True)
class InputSources:
    """For each time and channel of a store, the time whose field is read."""

    channels: tuple[str, ...]
    places: Ints
    """Positions on the time axis ``(T, C)``; -1 where the policy finds none."""

    @classmethod
    def of(cls, store: FieldStore, channels: Sequence[str], policy: Filling) -> InputSources:
        """Look up every time once."""
        each = [_sources(store, channel, policy) for channel in channels]
        return cls(tuple(channels), np.stack(each, axis=1))

    @property
    def usable(self) -> NDArray[np.bool_]:
        """The times at which every channel has a field, its own or another's."""
        return np.asarray((self.places != _NOWHERE).all(axis=1), bool)

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Where another time's field is used ``(T, C)``."""
        own = np.arange(len(self.places))[:, None]
        return np.asarray((self.places != own) & (self.places != _NOWHERE), bool)

    def filled_inputs(self, store: FieldStore, times: Ints) -> tuple[FilledInput, ...]:
        """Every field that stands in for a missing one at these positions, in order."""
        axis, wanted = store.axis, np.unique(times)
        return tuple(
            FilledInput(
                self.channels[channel],
                int(axis.seconds[time]),
                int(axis.seconds[self.places[time, channel]]),
                int(axis.segments[time]),
            )
            for time in wanted.tolist()
            for channel in np.flatnonzero(self.filled[time]).tolist()
        )


def _sources(store: FieldStore, channel: str, policy: Filling) -> Ints:
    """The time to read at each time, for one channel."""
    axis = store.axis_of((channel,))
    places = np.where(axis.usable, np.arange(len(axis.seconds)), _NOWHERE)
    order = np.lexsort((axis.seconds, axis.segments))
    apart, same = np.diff(axis.seconds[order]), np.diff(axis.segments[order]) == 0
    step = apart[same].min() if same.any() else 0
    for before, now, joined, gap in zip(order[:-1], order[1:], same, apart, strict=True):
        near = policy == "persistence" or (gap == step and axis.usable[before])
        if places[now] == _NOWHERE and joined and near:
            places[now] = places[before]
    return places
