"""From the states of an evaluation to rows: values, confidence bounds and skill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from wxreg.leadtime import Duration
from wxreg.runs.scoring.keys import MODEL
from wxreg.runs.scoring.scales import scales_of
from wxreg.runs.scoring.series import (
    Floats,
    Place,
    Series,
    SeriesReader,
    States,
    places_of,
)
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.catalogue import Better, Metric
from wxreg.scores.significance import skill
from wxreg.specs.protocol import MetricRef

POINT_FORMS: Final = {
    "crps": "crps_ensemble", "brier_fair": "brier", "energy_score_fair": "energy_score"
}  # fmt: skip
"""What takes the place of a fair score, undefined for one member, of a baseline with one."""
_PERFECT: Final[dict[Better, float]] = {"lower": 0.0, "higher": 1.0, "one": 0.0, "zero": 0.0}


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


def rows_of(
    scoring: Scoring, states: States, members: Mapping[str, int], leads: tuple[int, ...]
) -> Table:
    """The rows of the model and of every baseline; ``members`` says how many each source has."""
    reader = SeriesReader(scoring, states)
    scores: list[ScoreRow] = []
    comparisons: list[Comparison] = []
    own: dict[str, list[ScoreRow]] = {name: [] for name in members if name != MODEL}
    for place, series in _read(reader, scoring, members, leads):
        model = series[MODEL]
        scores += _rows(scoring, place, model, members[MODEL], reader.level)
        for name in own:
            if name not in series:
                continue
            own[name] += _rows(scoring, place, series[name], members[name], reader.level)
            if place.known.better == "none" or series[name].draws.shape != model.draws.shape:
                continue
            pair = (name, model, series[name])
            scores += _skill_rows(scoring, place, pair, members[MODEL], reader.level)
            comparisons += _comparisons(scoring, place, pair, reader.level)
    return Table(
        tuple(scores), tuple(comparisons), {name: tuple(rows) for name, rows in own.items()}
    )


def _read(
    reader: SeriesReader, scoring: Scoring, members: Mapping[str, int], leads: tuple[int, ...]
) -> Iterator[tuple[Place, dict[str, Series]]]:
    """Every place of the protocol, in its order, with the series of each source.

    Places that share a state are read one after the other, so that its draws are made once.
    """
    places = list(places_of(scoring, leads, members[MODEL]))
    found: dict[int, dict[str, Series]] = {}
    for number in sorted(range(len(places)), key=lambda n: _shared(places[n])):
        read = {
            source: reader.read(source, _of_members(places[number], count))
            for source, count in members.items()
        }
        found[number] = {name: one for name, one in read.items() if one is not None}
    for number, place in enumerate(places):
        if MODEL in found[number]:
            yield place, found[number]


def _of_members(place: Place, members: int) -> Place:
    """The same score as one member has it: of a point forecast the CRPS is the absolute error."""
    plain = POINT_FORMS.get(place.metric.id) if members == 1 else None
    return place if plain is None else replace(place, metric=MetricRef(id=plain))


def _shared(place: Place) -> tuple[str, str, int, str]:
    return place.known.statistic, place.name, -1 if place.lead is None else place.lead, place.bin


def _cells(scoring: Scoring, place: Place, shape: tuple[int, ...]) -> Iterator[Any]:
    """``(index, threshold, scale)`` of every number of a series."""
    per_threshold = "threshold" in place.known.needs and not place.mean
    thresholds = scoring.thresholds(place.name) if per_threshold else ()
    scales = scales_of(scoring, place.known, place.name, shape[-1] if shape else 0)
    for index in np.ndindex(*shape):
        at = list(index)
        threshold = thresholds[at.pop(0)] if thresholds else None
        yield index, threshold, scales[at[0]] if at else None


def _rows(
    scoring: Scoring, place: Place, series: Series, members: int, level: float
) -> list[ScoreRow]:
    rows = []
    for index, threshold, scale in _cells(scoring, place, series.draws.shape[1:]):
        values = series.draws[(slice(None), *index)]
        low, high = bounds(values[1:], level)
        where = _where(place, threshold, scale)
        rows.append(
            ScoreRow(**where, value=_number(values[0]), low=low, high=high,
                     count=int(series.counts[index]), members=members)
        )  # fmt: skip
    return rows


def _where(place: Place, threshold: float | None, scale: float | None) -> dict[str, Any]:
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
    return str(Duration(seconds))


_Pair = tuple[str, Series, Series]


def _skill_rows(
    scoring: Scoring, place: Place, pair: _Pair, members: int, level: float
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
                     high=high, count=int(model.counts[index]), members=members, baseline=name,
                     skill=_number(skills[0]))
        )  # fmt: skip
    return rows


def skill_draws(metric: Metric, mine: Floats, theirs: Floats) -> Floats:
    """1 is perfect, negative is worse than the baseline; NaN where skill has no meaning."""
    if metric.id.startswith("loglik") or metric.better == "none":
        return np.full(len(mine), np.nan)
    offset = 1.0 if metric.better == "one" else 0.0
    if metric.better in ("one", "zero"):
        mine, theirs = np.abs(mine - offset), np.abs(theirs - offset)
    perfect = _PERFECT[metric.better]
    return np.array([skill(a, b, perfect) for a, b in zip(mine, theirs, strict=True)])


def _comparisons(scoring: Scoring, place: Place, pair: _Pair, level: float) -> list[Comparison]:
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
