"""Normalisation statistics of a canonical store: one streaming pass over the training split.

Only fields that were read count: fields that a gap policy filled are left out.  Work is cut
into pieces of one variable over some times; pieces are counted in threads and merged in a fixed
order, so that the numbers do not depend on how many threads there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from wxreg.data.clock import moments_of
from wxreg.data.statistics_counting import Axis, Counting, Piece, Tally
from wxreg.data.stores import encode_times, open_store, store_claim
from wxreg.errors import Incompatible, IntegrityError
from wxreg.leadtime import Duration
from wxreg.specs.statistics import ChannelStatistics, Statistics
from wxreg.specs.timeaxis import Splits
from wxreg.specs.variables import Variable

_TIMES_A_PIECE: Final = 64
_PIECE_BYTES: Final = 64 * 2**20
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
    """Probabilities; none for no quantiles."""
    code: str | None = None
    created: str | None = None


def compute(plan: StatisticsPlan, workers: int = 1, progress: Progress | None = None) -> Statistics:
    """The statistics of every variable of the plan, on every level it has."""
    _check_source(plan)
    opened = open_store(plan.store)
    counting = Counting(opened, _axis(opened, plan), plan.steps, bool(plan.quantiles))
    pieces = list(_pieces(counting, plan))
    tallies: dict[str, Tally] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        counted = pool.map(partial(_count, plan.store, counting), pieces)
        for done, found in enumerate(counted, 1):
            for channel, tally in found.items():
                tallies[channel] = tallies.get(channel, Tally()).merged(tally)
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


def _axis(opened: xr.Dataset, plan: StatisticsPlan) -> Axis:
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
    return Axis(wanted, seconds, segments, _read_flags(opened, plan))


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


def _pieces(counting: Counting, plan: StatisticsPlan) -> Iterator[Piece]:
    opened, axis = counting.opened, counting.axis
    for variable in plan.variables:
        if variable.id not in opened.data_vars:
            raise Incompatible(
                "REG-430", f"the store has no variable {variable.id}", where=str(plan.store)
            )
        if "time" not in opened[variable.id].dims:
            yield Piece(variable, 0, 1)
            continue
        cells = int(np.prod(opened[variable.id].shape[1:]))
        step = max(1, min(_TIMES_A_PIECE, _PIECE_BYTES // (4 * cells)))
        for start in range(0, len(axis.seconds), step):
            stop = min(start + step, len(axis.seconds))
            if axis.wanted[start:stop].any():
                yield Piece(variable, start, stop)


def _count(store: Path, counting: Counting, piece: Piece) -> dict[str, Tally]:
    """The tallies of one piece, by channel."""
    name = piece.variable.id
    try:
        return counting.piece(zarr.open_group(store, mode="r")[name], piece)
    except (OSError, ValueError, RuntimeError) as error:
        what = f"the store is damaged: {error}"
        raise IntegrityError("REG-530", what, where=f"{store}/{name}") from error


def _finish(
    plan: StatisticsPlan, variable: Variable, channel: str, tally: Tally
) -> ChannelStatistics:
    count = tally.values.count
    if not count:
        raise Incompatible(
            "REG-430", f"{channel} has no value in the training split", where=str(plan.store)
        )
    sketch = tally.sketch
    return ChannelStatistics(
        transform=variable.transform,
        values=tally.values.finished(),
        missing=1 - count / tally.cells,
        zero=tally.zeros / count,
        tendencies={s: m.finished() for s, m in tally.tendencies.items() if m.count},
        quantiles={f"{p:g}": sketch.quantile(p) for p in plan.quantiles} if sketch else {},
        sketched=sketch.count if sketch else 0,
    )
