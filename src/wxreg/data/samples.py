"""What one sample is made of, as numpy arrays: inputs, statics, targets and their masks.

The stores of inputs and targets are aligned: an input cell holds a whole number of target
cells.  Missing cells are False in the mask and hold a finite value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wxreg.data.alignment import cell_factor, unlike
from wxreg.data.cutting import Cutting, filled
from wxreg.data.fields import FieldStore
from wxreg.data.missing_inputs import FilledInput, InputSources, MissingInputs
from wxreg.data.tiles import Tile
from wxreg.data.windows import Axis, Windows, enumerate_windows, one_lead_each, period_seconds
from wxreg.errors import UsageError
from wxreg.specs.timeaxis import Period

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_MEMORY: Final = 1 << 30


@dataclass(frozen=True)
class View:
    """One canonical store and the channels read from it, in order (``t2m``, ``t@500``)."""

    path: Path
    channels: tuple[str, ...]


@dataclass(frozen=True)
class LoaderSettings:
    """What one sample is made of."""

    inputs: View
    targets: View
    """Its grid is the grid of the targets, also where no truth is read."""
    statics: View | None = None
    """Fields without time, on the grid of the targets."""
    history: tuple[int, ...] = (0,)
    """Seconds of the input steps relative to the init time, oldest first, none above zero."""
    leads: tuple[int, ...] = (0,)
    """Lead times in seconds."""
    one_lead: bool = False
    """Whether each sample has one of the leads instead of all."""
    periods: tuple[Period, ...] | None = None
    """All times of a sample lie in one of these; none for all there are."""
    truth: bool = True
    """Whether targets are read; without it a sample needs its inputs only."""
    missing: MissingInputs = "refuse"
    """What takes the place of missing inputs."""
    tile: Tile | None = None
    scales: tuple[int, ...] = (1,)
    """Block sizes of the views that batches take turns in."""
    memory: int = _MEMORY
    """Bytes in which decoded fields may be kept, for each of the stores."""


@dataclass(frozen=True)
class Samples:
    """Some samples, stacked."""

    inputs: Floats
    input_mask: Mask
    static: Floats
    """``(S, Y, X)``, or ``(B, S, Y, X)`` where samples are tiles."""
    target: Floats | None
    target_mask: Mask | None
    leads: Ints
    init: Ints
    segment: Ints
    """The event of each sample; zero where the store is one series."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Coordinates of the rows and columns of a grid, and latitude and longitude of its cells."""

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


class SampleSource:
    """Reads the samples of a split."""

    def __init__(self, settings: LoaderSettings) -> None:
        self.settings = settings
        self._inputs, self._targets = _open(settings)
        self.factor = cell_factor(self._inputs, self._targets)
        self._static = self._read_static()
        self._sources = self._find_sources()
        self.windows = self._enumerate()
        if settings.tile is not None and settings.scales != (1,):
            raise UsageError("REG-235", "tiles and coarser views cannot be asked for together")

    @property
    def input_shape(self) -> tuple[int, int]:
        """Rows and columns of the inputs of one sample at the finest scale."""
        tile = self.settings.tile
        if tile is None:
            return self._inputs.shape
        side = (tile.size + 2 * tile.halo) // self.factor
        return side, side

    @property
    def target_shape(self) -> tuple[int, int]:
        """Rows and columns of the targets of one sample at the finest scale."""
        tile = self.settings.tile
        return self._targets.shape if tile is None else (tile.size, tile.size)

    @property
    def target_place(self) -> Place:
        """Where the cells of the whole target grid lie."""
        store = self._targets
        return Place(store.y, store.x, store.lat, store.lon)

    @property
    def room(self) -> tuple[int, int] | None:
        """How many places random tiles can have; None without tiles."""
        tile = self.settings.tile
        return None if tile is None else tile.room(self._targets.shape, self.factor)

    def warm(self) -> None:
        """Decode what fits into memory now, before worker processes are started."""
        self._inputs.warm()
        if self.settings.truth and self._targets is not self._inputs:
            self._targets.warm()

    def samples(self, chosen: Windows, corners: Ints | None = None, scale: int = 1) -> Samples:
        """The samples of those windows, each cut at its corner where there are tiles.

        Corners are rows and columns of the target grid, multiples of :attr:`factor`.
        """
        cutting = Cutting(self.settings.tile, corners, self.factor, scale)
        frames = self._input_frames(chosen.inputs)
        inputs, input_mask = filled(cutting.inputs(frames))
        target, target_mask = self._truth(chosen, cutting)
        return Samples(
            inputs=inputs,
            input_mask=input_mask,
            static=filled(cutting.statics(self._static))[0],
            target=target,
            target_mask=target_mask,
            leads=chosen.leads,
            init=chosen.init,
            segment=chosen.segment,
            lat=cutting.targets(self._targets.lat),
            lon=cutting.targets(self._targets.lon),
        )

    def filled_inputs(self, chosen: Windows) -> tuple[FilledInput, ...]:
        """The earlier fields that stand in for missing inputs of those windows."""
        if self._sources is None:
            return ()
        return self._sources.filled_inputs(self._inputs, chosen.inputs)

    def _find_sources(self) -> InputSources | None:
        policy = self.settings.missing
        if policy == "refuse":
            return None
        return InputSources.of(self._inputs, self.settings.inputs.channels, policy)

    def _input_axis(self) -> Axis:
        """The input times, usable where every channel has a field or one that stands in."""
        if self._sources is None:
            return self._inputs.axis_of(self.settings.inputs.channels)
        return replace(self._inputs.axis, usable=self._sources.usable)

    def _input_frames(self, times: Ints) -> Floats:
        channels = self.settings.inputs.channels
        if self._sources is None or not self._sources.filled[times].any():
            return _frames(self._inputs, channels, times)
        planes = [
            _frames(self._inputs, (channel,), self._sources.places[times, number])
            for number, channel in enumerate(channels)
        ]
        return np.concatenate(planes, axis=2)

    def _truth(self, chosen: Windows, cutting: Cutting) -> tuple[Floats | None, Mask | None]:
        if not self.settings.truth:
            return None, None
        frames = _frames(self._targets, self.settings.targets.channels, chosen.targets)
        return filled(cutting.targets(frames))

    def _read_static(self) -> Floats:
        view = self.settings.statics
        if view is None:
            return np.empty((0, *self._targets.shape), np.float32)
        store = FieldStore(view.path, view.channels)
        if store.shape != self._targets.shape:
            raise unlike(store, self._targets, "statics must lie on the grid of the targets")
        return store.static()

    def _enumerate(self) -> Windows:
        settings = self.settings
        inside = (
            None
            if settings.periods is None
            else period_seconds(settings.periods, self._inputs.calendar)
        )
        groups = [(lead,) for lead in settings.leads] if settings.one_lead else [settings.leads]
        found = [
            enumerate_windows(
                self._input_axis(),
                self._targets.axis_of(settings.targets.channels),
                history=settings.history,
                leads=leads,
                periods=inside,
                truth=settings.truth,
            )
            for leads in groups
        ]
        return one_lead_each(found) if settings.one_lead else found[0]


def _frames(store: FieldStore, channels: tuple[str, ...], times: Ints) -> Floats:
    """Fields ``(B, T, C, Y, X)`` at times ``(B, T)``."""
    numbers = [store.channels.index(channel) for channel in channels]
    found = store.at(times.reshape(-1), numbers)
    return found.reshape(*times.shape, *found.shape[1:])


def _open(settings: LoaderSettings) -> tuple[FieldStore, FieldStore]:
    """The stores of inputs and targets; one where both are read from the same place."""
    inputs, targets = settings.inputs, settings.targets
    if inputs.path == targets.path:
        both = tuple(dict.fromkeys(inputs.channels + targets.channels))
        store = FieldStore(inputs.path, both, settings.memory)
        return store, store
    return (
        FieldStore(inputs.path, inputs.channels, settings.memory),
        FieldStore(targets.path, targets.channels if settings.truth else (), settings.memory),
    )
