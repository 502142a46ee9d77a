"""What one piece of a store, one variable over some times, adds to its statistics."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.moments import Moments
from wxreg.data.sketches import QuantileSketch
from wxreg.data.transforms import transformed
from wxreg.leadtime import Duration
from wxreg.specs.variables import Variable

SKETCHED_VALUES: Final = 1 << 21
"""About how many values of a channel a sketch is made from: evenly spaced ones, where it has more.

Two million leave the 0.999 quantile uncertain by a fiftieth of its tail.
"""


@dataclass(frozen=True)
class Tally:
    """What was counted of one channel."""

    values: Moments = field(default_factory=Moments)
    zeros: int = 0
    cells: int = 0
    tendencies: dict[str, Moments] = field(default_factory=dict)
    sketch: QuantileSketch | None = None

    def merged(self, other: Tally) -> Tally:
        """Both together."""
        sketch = self.sketch
        if other.sketch is not None:
            sketch = sketch.merged(other.sketch) if sketch else other.sketch
        steps = dict.fromkeys([*self.tendencies, *other.tendencies])
        return Tally(
            values=self.values.merged(other.values),
            zeros=self.zeros + other.zeros,
            cells=self.cells + other.cells,
            tendencies={
                step: self.tendencies.get(step, Moments()).merged(
                    other.tendencies.get(step, Moments())
                )
                for step in steps
            },
            sketch=sketch,
        )


@dataclass(frozen=True)
class Axis:
    """The times that count, and where the field a step earlier lies."""

    wanted: NDArray[np.bool_]
    seconds: NDArray[np.int64]
    segments: NDArray[Any] | None
    read: dict[str, NDArray[np.bool_]]
    """By variable, whether the field was read rather than filled."""

    def counts(self, name: str) -> NDArray[np.bool_]:
        """The times whose field of that variable counts."""
        return self.wanted & self.read[name]

    @cached_property
    def _places(self) -> dict[tuple[int, int], int]:
        """Where each time of each segment stands; times of events overlap."""
        segments = np.zeros(len(self.seconds)) if self.segments is None else self.segments
        pairs = zip(segments.tolist(), self.seconds.tolist(), strict=True)
        return {(int(segment), second): at for at, (segment, second) in enumerate(pairs)}

    def earlier(self, name: str, position: int, step: Duration) -> int | None:
        """The position one step before, if it counts for ``name`` and is in the same segment."""
        segment = 0 if self.segments is None else int(self.segments[position])
        at = self._places.get((segment, int(self.seconds[position]) - step.seconds))
        return at if at is not None and self.counts(name)[at] else None


@dataclass(frozen=True)
class Piece:
    """Some consecutive times of one variable; a static one has a single piece."""

    variable: Variable
    start: int
    stop: int


@dataclass(frozen=True)
class Counting:
    """How the pieces of one store are counted."""

    opened: xr.Dataset
    axis: Axis
    steps: tuple[Duration, ...]
    sketched: bool
    """Whether quantiles are wanted."""

    def piece(self, array: Any, piece: Piece) -> dict[str, Tally]:
        """The tallies of one piece, by channel; ``array`` is the stored one."""
        name = piece.variable.id
        if "time" not in self.opened[name].dims:
            return {name: self._constant(np.asarray(array[...]), piece.variable)}
        fields = _Fields(array, piece)
        found: dict[str, Tally] = {}
        for position in range(piece.start, piece.stop):
            if self.axis.wanted[position]:
                for channel, tally in self._time(fields, position).items():
                    found[channel] = found.get(channel, Tally()).merged(tally)
        for channel, level in self._channels(name):
            if self.sketched:
                sketch = QuantileSketch.of(self._sample(fields, piece, level))
                found[channel] = found[channel].merged(Tally(sketch=sketch))
        return found

    def _constant(self, raw: NDArray[np.float32], variable: Variable) -> Tally:
        sketch = QuantileSketch.of(raw) if self.sketched else None
        tally = _tally(raw, transformed(raw, variable))
        return tally.merged(Tally(sketch=sketch))

    def _time(self, fields: _Fields, position: int) -> dict[str, Tally]:
        name = fields.variable.id
        cells = int(np.prod(self.opened[name].shape[-2:]))
        if not self.axis.read[name][position]:
            return {channel: Tally(cells=cells) for channel, _ in self._channels(name)}
        earlier = {str(step): self.axis.earlier(name, position, step) for step in self.steps}
        found = {}
        for channel, level in self._channels(name):
            now, raw = fields.at(position)[level], fields.raw(position)[level]
            changes = {
                step: Moments.of(now - fields.at(before)[level])
                for step, before in earlier.items()
                if before is not None
            }
            counted = _tally(raw, now)
            found[channel] = counted.merged(Tally(tendencies=changes))
        return found

    def _channels(self, name: str) -> list[tuple[str, Any]]:
        """The names of a variable's channels and the index of each within a field."""
        if "level" not in self.opened[name].dims:
            return [(name, ...)]
        levels = self.opened["level"].values
        return [(f"{name}@{level:g}", i) for i, level in enumerate(levels)]

    def _sample(self, fields: _Fields, piece: Piece, level: Any) -> NDArray[np.float32]:
        """Every value that counts, or evenly spaced ones; each time begins at another cell."""
        name = piece.variable.id
        every = _spacing(int(self.axis.counts(name).sum()), self.opened[name].shape[-2:])
        chosen = [
            fields.raw(position)[level].reshape(-1)[position % every :: every]
            for position in range(piece.start, piece.stop)
            if self.axis.counts(name)[position]
        ]
        return np.concatenate(chosen) if chosen else np.empty(0, np.float32)


def _spacing(times: int, plane: tuple[int, ...]) -> int:
    """How far apart sketched cells lie: no divisor of the columns, so that none is left out."""
    rows, columns = plane
    every = max(1, times * rows * columns // SKETCHED_VALUES)
    while gcd(every, columns) > 1:
        every += 1
    return every


class _Fields:
    """The transformed fields of a piece, and those before it that tendencies need."""

    def __init__(self, array: Any, piece: Piece) -> None:
        self._array, self._piece = array, piece
        self._raw = np.asarray(array[piece.start : piece.stop])
        self._values = transformed(self._raw, piece.variable)
        self._before: dict[int, NDArray[np.float32]] = {}
        self.variable = piece.variable

    def raw(self, position: int) -> NDArray[np.float32]:
        """The physical field at a position of the piece."""
        found: NDArray[np.float32] = self._raw[position - self._piece.start]
        return found

    def at(self, position: int) -> NDArray[np.float32]:
        """The transformed field at a position up to the end of the piece."""
        if position >= self._piece.start:
            found: NDArray[np.float32] = self._values[position - self._piece.start]
            return found
        if position not in self._before:
            field_before = np.asarray(self._array[position])
            self._before[position] = transformed(field_before, self.variable)
        return self._before[position]


def _tally(raw: NDArray[np.float32], values: NDArray[np.float32]) -> Tally:
    moments = Moments.of(values)
    if np.may_share_memory(values, raw) and (moments.minimum > 0 or moments.maximum < 0):
        return Tally(moments, 0, raw.size)  # no zero can be among them: save a pass
    return Tally(moments, raw.size - int(np.count_nonzero(raw)), raw.size)
