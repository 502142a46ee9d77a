"""From the states of an evaluation to rows: values, confidence bounds and skill.

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

from wxreg.runs.scoring import POINTWISE, Scoring
from wxreg.runs.scoring_keys import MODEL, StateKey
from wxreg.scores.catalogue import METRICS, Better, Metric
from wxreg.scores.metrics import finish
from wxreg.scores.significance import skill
from wxreg.scores.states import State
from wxreg.specs.protocol import Bootstrap, MetricRef

Floats = NDArray[np.float64]
States = Mapping[StateKey, State]

_AT_ONCE: Final = {*POINTWISE, "fss", "event"}
"""Statistics whose finishing step takes every draw together."""
_PERFECT: Final[dict[Better, float]] = {"lower": 0.0, "higher": 1.0, "one": 0.0, "zero": 0.0}
_COUNTS: Final = ("count", "fields", "tested")


@dataclass(frozen=True)
class ScoreRow:
    """One number of an evaluation; keys as in the JSON of ``reg evaluate``."""

    metric: str
    variable: str | None
    level: float | None
    lead: str | None
    threshold: float | None
    scale: float | None
    bin: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    members: int
    baseline: str | None = None
    skill: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The paired test of one number against a baseline: model less baseline."""

    metric: str
    variable: str | None
    level: float | None
    lead: str | None
    threshold: float | None
    scale: float | None
    bin: str
    baseline: str
    baseline_value: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True)
class Table:
    """Everything that is read off the states."""

    scores: tuple[ScoreRow, ...]
    """The model's own rows, and one more for each baseline with the skill against it."""
    comparisons: tuple[Comparison, ...]
    baselines: Mapping[str, tuple[ScoreRow, ...]]
    """The rows of each baseline itself."""


@dataclass(frozen=True)
class _Series:
    """One metric of one source, in one bin and lead: values of every draw."""

    draws: Floats
    """``(1 + draws, *axes)``."""
    count: int


@dataclass(frozen=True)
class _Place:
    """What one series of values is of."""

    metric: MetricRef
    name: str
    lead: int | None
    bin: str
    mean: bool = False
    """Whether the mean over the thresholds is meant (of CSI: CSI-M)."""

    @property
    def known(self) -> Metric:
        return METRICS[self.metric.id]


def rows_of(
    scoring: Scoring, states: States, members: Mapping[str, int], leads: tuple[int, ...]
) -> Table:
    """The rows of the model and of every baseline; ``members`` says how many each source has."""
    draws = Draws.of(states, scoring.protocol.bootstrap)
    scores: list[ScoreRow] = []
    comparisons: list[Comparison] = []
    own: dict[str, list[ScoreRow]] = {name: [] for name in members if name != MODEL}
    for place in _places(scoring, leads, members[MODEL]):
        model = _series(scoring, states, draws, MODEL, place)
        if model is None:
            continue
        scores += _rows(scoring, place, model, members[MODEL], draws.level)
        for name in own:
            other = _series(scoring, states, draws, name, place)
            if other is None:
                continue
            own[name] += _rows(scoring, place, other, members[name], draws.level)
            if place.known.better == "none" or other.draws.shape != model.draws.shape:
                continue
            pair = (name, model, other)
            scores += _skill_rows(scoring, place, pair, members[MODEL], draws.level)
            comparisons += _comparisons(scoring, place, pair, draws.level)
    return Table(
        tuple(scores), tuple(comparisons), {name: tuple(rows) for name, rows in own.items()}
    )


@dataclass(frozen=True)
class Draws:
    """How often each bootstrap block is counted, draw by draw; draw 0 counts each once."""

    blocks: tuple[int, ...]
    counts: Floats
    level: float

    @classmethod
    def of(cls, states: Iterable[StateKey], bootstrap: Bootstrap | None) -> Draws:
        """The draws of a protocol; none but the data with fewer than two blocks."""
        blocks = tuple(sorted({key.block for key in states}))
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


def _places(scoring: Scoring, leads: tuple[int, ...], members: int) -> Iterator[_Place]:
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
        bins = [*scoring.bin_atoms, *extra] if statistic in POINTWISE else ["all", *extra]
        for name in _names(scoring, metric):
            for lead in shown:
                for bin_ in bins:
                    yield _Place(metric, name, lead, bin_)
                    if metric.settings.get("mean_of_thresholds"):
                        yield _Place(metric, name, lead, bin_, mean=True)


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
    )


def _series(
    scoring: Scoring, states: States, draws: Draws, source: str, place: _Place
) -> _Series | None:
    if place.lead is not None or scoring.protocol.pooling == "counts":
        return _one(scoring, states, draws, source, place, {place.lead} - {None})
    leads = sorted({key.lead for key in states})
    each = [_one(scoring, states, draws, source, place, {lead}) for lead in leads]
    known = [one for one in each if one is not None]
    if not known:
        return None
    mean = np.mean([one.draws for one in known], axis=0)
    return _Series(mean, sum(one.count for one in known))


def _one(
    scoring: Scoring,
    states: States,
    draws: Draws,
    source: str,
    place: _Place,
    leads: set[int | None],
) -> _Series | None:
    statistic = place.known.statistic
    by_block: dict[int, State] = {}
    for key in _matching(states, source, statistic, place.name):
        if (leads and key.lead not in leads) or not _in_time(key, place.bin):
            continue
        state = _binned(scoring, statistic, states[key], place.bin)
        by_block[key.block] = by_block.get(key.block, State()).merge(state)
    if not by_block:
        return None
    merged = draws.merged(by_block)
    values = _finished(place.metric.id, statistic, merged)
    return _Series(values.mean(-1) if place.mean else values, _count(merged))


def _matching(states: States, source: str, statistic: str, name: str) -> list[StateKey]:
    return [k for k in states if (k.source, k.statistic, k.name) == (source, statistic, name)]


def _in_time(key: StateKey, bin_: str) -> bool:
    if bin_.startswith("hour-"):
        return key.hour == bin_
    return not bin_.startswith("season-") or key.season == bin_


def _binned(scoring: Scoring, statistic: str, state: State, bin_: str) -> State:
    """Without the axis of atoms, and without that of members, which are pooled."""
    if statistic not in POINTWISE:
        return state
    pooled = state.pool(scoring.bin_atoms.get(bin_, scoring.bin_atoms["all"]))
    return pooled.pool(range(len(pooled["weight"]))) if statistic == "members" else pooled


def _finished(metric: str, statistic: str, merged: State) -> Floats:
    if statistic in _AT_ONCE:
        return finish(metric, merged)
    count = len(next(iter(merged.arrays.values())))
    each = [State({n: v[draw] for n, v in merged.arrays.items()}) for draw in range(count)]
    return np.stack([finish(metric, one) for one in each])


def _count(merged: State) -> int:
    for name in _COUNTS:
        if name in merged.arrays:
            return int(merged[name][0].max(initial=0))
    counts = merged.arrays.get("contingency")
    return 0 if counts is None else int(counts[0].sum())


def _cells(scoring: Scoring, place: _Place, shape: tuple[int, ...]) -> Iterator[Any]:
    """``(index, threshold, scale)`` of every number of a series."""
    per_threshold = "threshold" in place.known.needs and not place.mean
    thresholds = scoring.thresholds(place.name) if per_threshold else ()
    for index in np.ndindex(*shape):
        at = list(index)
        threshold = thresholds[at.pop(0)] if thresholds else None
        scale = _scale(scoring, place, at[0], shape[-1]) if at else None
        yield index, threshold, scale


def _scale(scoring: Scoring, place: _Place, at: int, size: int) -> float | None:
    """The window width, the rank, the forecast probability, or the wavelength in kilometres."""
    if place.metric.id == "fss":
        return float(scoring.windows[at])
    if place.metric.id == "reliability":
        return at / (size - 1)
    if place.metric.id == "psd":
        return scoring.longest_km / at if at else None
    return float(at)


def _rows(
    scoring: Scoring, place: _Place, series: _Series, members: int, level: float
) -> list[ScoreRow]:
    rows = []
    for index, threshold, scale in _cells(scoring, place, series.draws.shape[1:]):
        values = series.draws[(slice(None), *index)]
        low, high = bounds(values[1:], level)
        where = _where(place, threshold, scale)
        rows.append(
            ScoreRow(**where, value=_number(values[0]), low=low, high=high,
                     count=series.count, members=members)
        )  # fmt: skip
    return rows


def _where(place: _Place, threshold: float | None, scale: float | None) -> dict[str, Any]:
    variable, _, height = place.name.partition("@")
    return {
        "metric": place.metric.id,
        "variable": variable,
        "level": float(height) if height else None,
        "lead": None if place.lead is None else lead_text(place.lead),
        "threshold": None if threshold is None else float(np.float32(threshold)),
        "scale": scale,
        "bin": place.bin,
    }


def lead_text(seconds: int) -> str:
    """A lead as the plans print it."""
    from wxreg.leadtime import Duration

    return str(Duration(seconds))


_Pair = tuple[str, _Series, _Series]


def _skill_rows(
    scoring: Scoring, place: _Place, pair: _Pair, members: int, level: float
) -> list[ScoreRow]:
    """The model's value with its skill against a baseline; the bounds are of the skill."""
    name, model, other = pair
    rows = []
    for index, threshold, scale in _cells(scoring, place, model.draws.shape[1:]):
        mine, theirs = (s.draws[(slice(None), *index)] for s in (model, other))
        skills = skill_draws(place.known, mine, theirs)
        low, high = bounds(skills[1:], level)
        rows.append(
            ScoreRow(**_where(place, threshold, scale), value=_number(mine[0]), low=low,
                     high=high, count=model.count, members=members, baseline=name,
                     skill=_number(skills[0]))
        )  # fmt: skip
    return rows


def skill_draws(metric: Metric, mine: Floats, theirs: Floats) -> Floats:
    """1 is perfect, negative is worse than the baseline; NaN where skill has no meaning."""
    if metric.id == "loglik" or metric.better == "none":
        return np.full(len(mine), np.nan)
    offset = 1.0 if metric.better == "one" else 0.0
    if metric.better in ("one", "zero"):
        mine, theirs = np.abs(mine - offset), np.abs(theirs - offset)
    perfect = _PERFECT[metric.better]
    return np.array([skill(a, b, perfect) for a, b in zip(mine, theirs, strict=True)])


def _comparisons(scoring: Scoring, place: _Place, pair: _Pair, level: float) -> list[Comparison]:
    name, model, other = pair
    found = []
    for index, threshold, scale in _cells(scoring, place, model.draws.shape[1:]):
        mine, theirs = (s.draws[(slice(None), *index)] for s in (model, other))
        gap = mine - theirs
        low, high = bounds(gap[1:], level)
        found.append(
            Comparison(**_where(place, threshold, scale), baseline=name,
                       baseline_value=_number(theirs[0]), difference=_number(gap[0]),
                       low=low, high=high, p_value=p_value(gap[1:]))
        )  # fmt: skip
    return found


def bounds(draws: Floats, level: float) -> tuple[float | None, float | None]:
    """Percentile bounds; none without draws."""
    known = draws[np.isfinite(draws)]
    if known.size == 0:
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def p_value(gaps: Floats) -> float | None:
    """Two-sided: how often the drawn difference lies on the other side of zero."""
    known = gaps[np.isfinite(gaps)]
    if known.size == 0:
        return None
    side = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2 * (side + 1) / (known.size + 1)))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
