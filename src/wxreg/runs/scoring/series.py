"""One metric of one source in one bin and lead, for the data and for every bootstrap draw.

Init times of one block (a day) resemble each other, so whole blocks are drawn: every draw
counts how often each block comes up, and draw 0 is the data themselves, once each.  Model
and baselines share the draws, which makes their differences paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.keys import StateKey
from wxreg.runs.scoring.kinds import BINNED, PER_MEMBER
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.catalogue import METRICS, Metric
from wxreg.scores.metrics import ONE_BY_ONE, Declared, finish
from wxreg.scores.states import State
from wxreg.scores.yearly import closed_year
from wxreg.specs.protocol import Bootstrap, MetricRef

Floats = NDArray[np.float64]
States = Mapping[StateKey, State]
_Asked = tuple[str, str, int | None, str]

_COUNTS: Final = ("count", "fields", "tested", "truth_days", "energy_count", "weight")
_YEARLY: Final = "climate"
"""The statistic whose states are of years, which are then the blocks."""


@dataclass(frozen=True)
class Series:
    """One metric of one source, in one bin and lead: values of every draw."""

    draws: Floats
    """``(1 + draws, *axes)``."""
    counts: Floats
    """Of the data themselves, ``(*axes)``."""


@dataclass(frozen=True)
class Place:
    """What one series of values is of."""

    metric: MetricRef
    name: str
    lead: int | None
    bin: str
    mean: bool = False
    """Whether the mean over the thresholds is meant (of CSI: CSI-M)."""

    @property
    def known(self) -> Metric:
        """The metric as the catalogue describes it."""
        return METRICS[self.metric.id]


@dataclass(frozen=True)
class Draws:
    """How often each bootstrap block is counted, draw by draw; draw 0 counts each once."""

    blocks: tuple[int, ...]
    counts: Floats
    level: float

    @classmethod
    def of(
        cls, states: Iterable[StateKey], bootstrap: Bootstrap | None, *, yearly: bool = False
    ) -> Draws:
        """The draws of a protocol; none but the data with fewer than two blocks."""
        blocks = tuple(
            sorted({key.block for key in states if (key.statistic == _YEARLY) is yearly})
        )
        once = np.ones((1, len(blocks)))
        if bootstrap is None or len(blocks) < 2:
            return cls(blocks, once, bootstrap.level if bootstrap else 0.95)
        shares = np.full(len(blocks), 1 / len(blocks))
        random = np.random.default_rng(bootstrap.seed)
        drawn = random.multinomial(len(blocks), shares, size=bootstrap.samples)
        return cls(blocks, np.concatenate([once, drawn]), bootstrap.level)

    def merged(self, by_block: Mapping[int, State]) -> State:
        """The merged state of every draw, on a new leading axis; maxima are left out."""
        at = [number for number, block in enumerate(self.blocks) if block in by_block]
        parts = [by_block[self.blocks[number]] for number in at]
        arrays: dict[str, Any] = {}
        for name in parts[0].arrays:
            if name not in parts[0].maxima:
                stack = np.stack([part[name] for part in parts]).astype(float)
                arrays[name] = np.tensordot(self.counts[:, at], stack, 1)
        return State(arrays)


def places_of(scoring: Scoring, leads: tuple[int, ...], members: int) -> Iterator[Place]:
    """Every series that the protocol asks for; a lead of none stands for all together."""
    protocol = scoring.protocol
    shown: list[int | None] = list(leads) if "lead" in protocol.bins or len(leads) == 1 else []
    if len(leads) > 1:
        shown.append(None)
    times = {"hour": [f"hour-{h:02d}" for h in range(24)],
             "season": [f"season-{s}" for s in ("DJF", "MAM", "JJA", "SON")]}  # fmt: skip
    extra = [name for kind in protocol.bins for name in times.get(kind, ())]
    for metric in protocol.metrics:
        if skipped(metric, members):
            continue
        statistic = METRICS[metric.id].statistic
        bins = [*scoring.bin_atoms, *extra] if statistic in BINNED else ["all", *extra]
        for name in _names(scoring, metric):
            for lead in shown:
                for bin_ in bins:
                    yield Place(metric, name, lead, bin_)
                    if metric.settings.get("mean_of_thresholds"):
                        yield Place(metric, name, lead, bin_, mean=True)


def skipped(metric: MetricRef, members: int) -> bool:
    """Whether a metric needs an ensemble and there is one member only."""
    return members < 2 and "members" in METRICS[metric.id].needs


def _names(scoring: Scoring, metric: MetricRef) -> Iterable[str]:
    """What a metric is computed of: channels, declared events, or constraints."""
    statistic = METRICS[metric.id].statistic
    if statistic == "event":
        return tuple(scoring.events)
    if statistic == "constraint":
        return scoring.constraint_ids
    variables = metric.variables or scoring.protocol.variables
    needs_threshold = "threshold" in METRICS[metric.id].needs
    return tuple(
        channel
        for channel in scoring.wanted[statistic]
        if channel.partition("@")[0] in variables
        and (not needs_threshold or scoring.thresholds(channel))
        and (statistic != "vector" or scoring.variable(channel).vector == "x")
    )


class SeriesReader:
    """Reads the series of any source; the last merged draws are kept, as metrics share them."""

    def __init__(self, scoring: Scoring, states: States) -> None:
        bootstrap = scoring.protocol.bootstrap
        self._scoring = scoring
        self._states = states
        self._draws = Draws.of(states, bootstrap)
        self._years = Draws.of(states, bootstrap, yearly=True)
        self._leads = sorted({key.lead for key in states})
        self._keys: dict[tuple[str, str, str], list[StateKey]] = {}
        for key in states:
            self._keys.setdefault((key.source, key.statistic, key.name), []).append(key)
        self._kept: dict[str, tuple[_Asked, State | None]] = {}

    @property
    def level(self) -> float:
        """The confidence level of the bounds."""
        return self._draws.level

    def read(self, source: str, place: Place) -> Series | None:
        """The values of every draw; none where nothing was scored."""
        if place.lead is not None or self._scoring.protocol.pooling == "counts":
            return self._one(source, place, place.lead)
        each = [self._one(source, place, lead) for lead in self._leads]
        known = [one for one in each if one is not None]
        if not known:
            return None
        mean = np.mean([one.draws for one in known], axis=0)
        return Series(mean, np.sum([one.counts for one in known], axis=0))

    def _one(self, source: str, place: Place, lead: int | None) -> Series | None:
        statistic = place.known.statistic
        asked = (statistic, place.name, lead, place.bin)
        if self._kept.get(source, (None, None))[0] != asked:
            self._kept[source] = (asked, self._merged(source, asked))
        merged = self._kept[source][1]
        if merged is None:
            return None
        values = _finished(place.known, merged, self._scoring.declared(statistic, place.name))
        values = values.mean(-1) if place.mean else values
        return Series(values, counts_of(place.known, merged, values.shape[1:]))

    def _merged(self, source: str, asked: _Asked) -> State | None:
        statistic, name, lead, bin_ = asked
        by_block: dict[int, State] = {}
        for key in self._keys.get((source, statistic, name), ()):
            if lead not in (None, key.lead) or not _in_time(key, bin_):
                continue
            state = _binned(self._scoring, statistic, self._states[key], bin_)
            by_block[key.block] = by_block.get(key.block, State()).merge(state)
        if not by_block:
            return None
        if statistic != _YEARLY:
            return self._draws.merged(by_block)
        return self._years.merged({y: closed_year(one, y) for y, one in by_block.items()})


def _in_time(key: StateKey, bin_: str) -> bool:
    if bin_.startswith("hour-"):
        return key.hour == bin_
    return not bin_.startswith("season-") or key.season == bin_


def _binned(scoring: Scoring, statistic: str, state: State, bin_: str) -> State:
    """Without the axis of atoms, and without that of members, which are pooled."""
    if statistic not in BINNED:
        return state
    pooled = state.pool(scoring.bin_atoms.get(bin_, scoring.bin_atoms["all"]))
    return pooled.pool(range(len(pooled["weight"]))) if statistic in PER_MEMBER else pooled


def _finished(metric: Metric, merged: State, declared: Declared) -> Floats:
    if metric.statistic not in ONE_BY_ONE:
        return finish(metric.id, merged, declared)
    count = len(next(iter(merged.arrays.values())))
    each = [State({n: v[draw] for n, v in merged.arrays.items()}) for draw in range(count)]
    return np.stack([finish(metric.id, one, declared) for one in each])


def counts_of(metric: Metric, merged: State, shape: tuple[int, ...]) -> Floats:
    """How many cases each number rests on, in the data themselves."""
    if metric.id == "reliability":
        return np.asarray(merged["table"][0].sum(-1), float)
    if metric.statistic == "spread_error":
        cases = np.asarray(merged["count"][0], float)
        return cases if metric.id == "spread_error_curve" else cases.sum()
    if metric.statistic == "objects":
        return np.asarray(merged["matched"][0] + merged["missed"][0], float)
    if metric.statistic == "ensemble" and "threshold" in metric.needs:
        cases = merged["table"][0].sum((-2, -1))
        return np.broadcast_to(cases.reshape(cases.shape + (1,) * (len(shape) - 1)), shape)
    return np.broadcast_to(_count(merged), shape)


def _count(merged: State) -> float:
    for name in _COUNTS:
        if name in merged.arrays:
            return float(merged[name][0].max(initial=0))
    counts = merged.arrays.get("contingency")
    return 0.0 if counts is None else float(counts[0].sum(-1).max(initial=0))
