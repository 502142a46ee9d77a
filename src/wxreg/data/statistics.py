"""Normalisation statistics of a canonical store: one streaming pass over the training split.

Only fields that were read count: fields that a gap policy filled are left out.  Work is cut
into pieces of one variable over some times; pieces are counted in threads and merged in a fixed
order, so that the numbers do not depend on how many threads there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from wxreg.data.clock import moments_of
from wxreg.data.moments import Histogram, Moments
from wxreg.data.stores import encode_times, open_store, store_claim
from wxreg.data.transforms import transformed, untransformed
from wxreg.errors import Incompatible, IntegrityError
from wxreg.leadtime import Duration
from wxreg.specs.statistics import ChannelStatistics, Statistics
from wxreg.specs.timeaxis import Splits
from wxreg.specs.variables import Variable

_TIMES_A_PIECE: Final = 64
_PIECE_BYTES: Final = 128 * 2**20
DEFAULT_QUANTILES: Final = (0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class StatisticsPlan:
    """What to count, in which store, and what the numbers are for."""

    id: str
    dataset: str
    """The version, such as ``hrrr@mini-1``."""
    source_digest: str
    store: Path
    splits: Splits
    variables: tuple[Variable, ...]
    steps: tuple[Duration, ...] = ()
    """Steps over which tendencies are counted."""
    quantiles: tuple[float, ...] = ()
    """Probabilities; only variables with a whole range in the lexicon have quantiles."""
    code: str | None = None
    created: str | None = None


@dataclass(frozen=True)
class _Tally:
    """What one piece of one channel adds."""

    values: Moments = field(default_factory=Moments)
    zeros: int = 0
    cells: int = 0
    tendencies: dict[str, Moments] = field(default_factory=dict)
    histogram: Histogram | None = None

    def merged(self, other: _Tally) -> _Tally:
        """Both together."""
        histogram = self.histogram
        if other.histogram is not None:
            histogram = other.histogram.merged(histogram) if histogram else other.histogram
        steps = dict.fromkeys([*self.tendencies, *other.tendencies])
        return _Tally(
            values=self.values.merged(other.values),
            zeros=self.zeros + other.zeros,
            cells=self.cells + other.cells,
            tendencies={
                step: self.tendencies.get(step, Moments()).merged(
                    other.tendencies.get(step, Moments())
                )
                for step in steps
            },
            histogram=histogram,
        )


@dataclass(frozen=True)
class _Axis:
    """The times that count, and where the field a step earlier lies."""

    wanted: NDArray[np.bool_]
    seconds: NDArray[np.int64]
    segments: NDArray[Any] | None
    read: dict[str, NDArray[np.bool_]]
    """By variable, whether the field was read rather than filled."""

    def earlier(self, name: str, position: int, step: Duration) -> int | None:
        """The position one step before, if it counts for ``name`` and is in the same segment."""
        at = int(np.searchsorted(self.seconds, self.seconds[position] - step.seconds))
        if at >= position or self.seconds[at] != self.seconds[position] - step.seconds:
            return None
        if self.segments is not None and self.segments[at] != self.segments[position]:
            return None
        return at if self.wanted[at] and self.read[name][at] else None


def compute(plan: StatisticsPlan, workers: int = 1, progress: Progress | None = None) -> Statistics:
    """The statistics of every variable of the plan, on every level it has."""
    _check_source(plan)
    opened = open_store(plan.store)
    axis = _axis(opened, plan)
    pieces = list(_pieces(opened, axis, plan))
    tallies: dict[str, _Tally] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        counted = pool.map(partial(_count, plan, opened, axis), pieces)
        for done, found in enumerate(counted, 1):
            for channel, tally in found.items():
                tallies[channel] = tallies.get(channel, _Tally()).merged(tally)
            if progress is not None:
                progress(done, len(pieces))
    known = {variable.id: variable for variable in plan.variables}
    return Statistics(
        id=plan.id,
        dataset=plan.dataset,
        source_digest=plan.source_digest,
        window=plan.splits.train,
        channels={
            channel: _finish(plan, known[channel.partition("@")[0]], channel, tally)
            for channel, tally in tallies.items()
        },
        code=plan.code,
        created=plan.created,
    )


def _check_source(plan: StatisticsPlan) -> None:
    claim = store_claim(plan.store) or {}
    if claim.get("source_digest") not in (None, plan.source_digest):
        raise Incompatible(
            "REG-430",
            "the store was prepared from another version than the statistics are for",
            where=str(plan.store),
            hint=f"prepare {plan.dataset} again",
        )


def _axis(opened: xr.Dataset, plan: StatisticsPlan) -> _Axis:
    if "time" not in opened.dims:
        raise Incompatible("REG-430", "the store has no time axis", where=str(plan.store))
    times = opened["time"].values
    wanted = np.array(
        [any(period.contains(m) for period in plan.splits.train) for m in moments_of(times)], bool
    )
    if not wanted.any():
        periods = ", ".join(map(str, plan.splits.train))
        raise Incompatible(
            "REG-430",
            f"no time of the store is in the training split ({periods})",
            where=str(plan.store),
        )
    segments = opened["segment"].values if "segment" in opened.coords else None
    seconds, _ = encode_times(times)
    return _Axis(wanted, seconds, segments, _read_flags(opened, plan))


def _read_flags(opened: xr.Dataset, plan: StatisticsPlan) -> dict[str, NDArray[np.bool_]]:
    flags = opened.coords.get("quality_flag")
    fields = flags.attrs["fields"] if flags is not None else []
    every = np.ones(opened.sizes["time"], bool)
    return {
        variable.id: flags.values[:, fields.index(variable.id)] == 0
        if flags is not None and variable.id in fields
        else every
        for variable in plan.variables
    }


@dataclass(frozen=True)
class _Piece:
    """Some consecutive times of one variable; a static one has a single piece."""

    variable: Variable
    start: int
    stop: int


def _pieces(opened: xr.Dataset, axis: _Axis, plan: StatisticsPlan) -> Iterator[_Piece]:
    for variable in plan.variables:
        if variable.id not in opened.data_vars:
            raise Incompatible(
                "REG-430", f"the store has no variable {variable.id}", where=str(plan.store)
            )
        if "time" not in opened[variable.id].dims:
            yield _Piece(variable, 0, 1)
            continue
        cells = int(np.prod(opened[variable.id].shape[1:]))
        step = max(1, min(_TIMES_A_PIECE, _PIECE_BYTES // (4 * cells)))
        for start in range(0, len(axis.seconds), step):
            stop = min(start + step, len(axis.seconds))
            if axis.wanted[start:stop].any():
                yield _Piece(variable, start, stop)


def _count(
    plan: StatisticsPlan, opened: xr.Dataset, axis: _Axis, piece: _Piece
) -> dict[str, _Tally]:
    """The tallies of one piece, by channel."""
    name = piece.variable.id
    array = zarr.open_group(plan.store, mode="r")[name]
    try:
        if "time" not in opened[name].dims:
            return {name: _tally(plan, piece.variable, np.asarray(array[...]))}  # type: ignore[index]
        fields = _Fields(array, piece)
        found: dict[str, _Tally] = {}
        for position in range(piece.start, piece.stop):
            if axis.wanted[position]:
                for channel, tally in _count_time(plan, opened, axis, fields, position).items():
                    found[channel] = found.get(channel, _Tally()).merged(tally)
    except (OSError, ValueError, RuntimeError) as error:
        where = f"{plan.store}/{name}"
        raise IntegrityError("REG-530", f"the store is damaged: {error}", where=where) from error
    return found


class _Fields:
    """The transformed fields of a piece, and those before it that tendencies need."""

    def __init__(self, array: Any, piece: _Piece) -> None:
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


def _count_time(
    plan: StatisticsPlan, opened: xr.Dataset, axis: _Axis, fields: _Fields, position: int
) -> dict[str, _Tally]:
    name = fields.variable.id
    shape = opened[name].shape[1:]
    if not axis.read[name][position]:
        return {
            channel: _Tally(cells=int(np.prod(shape[-2:])))
            for channel, _ in _channels(opened, name)
        }
    earlier = {str(step): axis.earlier(name, position, step) for step in plan.steps}
    found = {}
    for channel, level in _channels(opened, name):
        now, raw = fields.at(position)[level], fields.raw(position)[level]
        tally = _tally(plan, fields.variable, raw, now)
        changes = {
            step: Moments.of(now - fields.at(before)[level])
            for step, before in earlier.items()
            if before is not None
        }
        found[channel] = tally.merged(_Tally(tendencies=changes))
    return found


def _channels(opened: xr.Dataset, name: str) -> list[tuple[str, Any]]:
    """The names of a variable's channels and the index of each within a field."""
    if "level" not in opened[name].dims:
        return [(name, ...)]
    levels = opened["level"].values
    return [(f"{name}@{level:g}", i) for i, level in enumerate(levels)]


def _tally(
    plan: StatisticsPlan,
    variable: Variable,
    raw: NDArray[np.float32],
    values: NDArray[np.float32] | None = None,
) -> _Tally:
    values = transformed(raw, variable) if values is None else values
    histogram = None
    if plan.quantiles and None not in variable.range:
        bounds = transformed(np.array(variable.range, np.float32), variable)
        histogram = Histogram.empty(float(bounds[0]), float(bounds[1])).adding(values)
    zeros = raw.size - int(np.count_nonzero(raw))
    return _Tally(Moments.of(values), zeros, raw.size, {}, histogram)


def _finish(
    plan: StatisticsPlan, variable: Variable, channel: str, tally: _Tally
) -> ChannelStatistics:
    count = tally.values.count
    if not count:
        raise Incompatible(
            "REG-430", f"{channel} has no value in the training split", where=str(plan.store)
        )
    quantiles = {}
    if tally.histogram is not None:
        low, high = tally.values.minimum, tally.values.maximum
        quantiles = {
            f"{p:g}": untransformed(tally.histogram.quantile(p, low, high), variable)
            for p in plan.quantiles
        }
    return ChannelStatistics(
        transform=variable.transform,
        values=tally.values.finished(),
        missing=1 - count / tally.cells,
        zero=tally.zeros / count,
        tendencies={s: m.finished() for s, m in tally.tendencies.items() if m.count},
        quantiles=quantiles,
    )
