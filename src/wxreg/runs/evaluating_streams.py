"""Everything that an evaluation reads, gone through one initial time at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from wxreg.data.windows import Start
from wxreg.errors import Incompatible
from wxreg.runs.evaluating_climate import ClimateDays, truth_days
from wxreg.runs.evaluating_fields import Field, ForecastFields, TruthFields
from wxreg.runs.evaluating_tally import Tally, keep_tally, kept_tally
from wxreg.runs.progress import Bar
from wxreg.runs.scoring import Read, Scoring
from wxreg.runs.scoring_keys import EVERY_LEAD, MODEL, StateKey, hour_bin, season_bin
from wxreg.runs.scoring_sequences import initiation_states

_DAY: Final = 86_400
_KEEP_SECONDS: Final = 60.0
ByLead = Callable[[int], Read]
"""Gives the fields of the forecast's lead of that position."""


class Baseline(Protocol):
    """A system that a forecast is compared with."""

    name: str
    members: int
    digest: str
    """What pins its forecasts."""

    def reads(self, start: Start) -> ByLead | None:
        """Its forecast from a start; none where there is none."""
        ...


@dataclass(frozen=True)
class Streams:
    """The sides of an evaluation; the last three only where a metric needs them."""

    scoring: Scoring
    forecast: ForecastFields
    truth: TruthFields
    baselines: Sequence[Baseline] = ()
    climatology: Baseline | None = None
    coarse: TruthFields | None = None
    """What the model was given."""
    climate: ClimateDays | None = None
    truth_periods: tuple[tuple[int, int], ...] = ()
    """What is compared of the truth where times are not paired."""

    def key(self, source: str, statistic: str, name: str, init: int, lead: int) -> StateKey:
        """Where a state belongs."""
        bins, bootstrap = self.scoring.protocol.bins, self.scoring.protocol.bootstrap
        valid = init + max(lead, 0)
        hour = hour_bin(valid) if "hour" in bins else ""
        season = season_bin(valid, self.forecast.calendar) if "season" in bins else ""
        block = bootstrap.block.seconds if bootstrap else _DAY
        return StateKey(source, statistic, name, lead, hour, season, init // block)


def tallied(
    streams: Streams,
    inits: Sequence[int] | None = None,
    *,
    quiet: bool = True,
    keep: Path | None = None,
) -> Tally:
    """The states of some inits (their positions; all by default), one field at a time.

    With ``keep`` what is done is kept there from time to time, and taken up again.
    """
    kept = None if keep is None else kept_tally(keep)
    tally = kept or Tally(without_baseline={one.name: 0 for one in streams.baselines})
    positions = range(len(streams.forecast.inits)) if inits is None else inits
    _add_truth(tally, streams)
    since = time.monotonic()
    bar = Bar(f"evaluate {streams.forecast.path.name}", len(positions), quiet=quiet)
    try:
        for done, position in enumerate(positions, start=1):
            if done > tally.done:
                score_init(tally, streams, position)
                tally.done = done
            if keep is not None and time.monotonic() - since > _KEEP_SECONDS:
                keep_tally(keep, tally)
                since = time.monotonic()
            bar.at(done)
    finally:
        bar.close()
    require_pairs(streams, tally)
    return tally


def require_pairs(streams: Streams, tally: Tally) -> None:
    """Refuse an evaluation in which nothing could be scored."""
    unpaired = streams.scoring.protocol.pairing == "distribution"
    if tally.pairs and (tally.truth_days or not unpaired):
        return
    raise Incompatible(
        "REG-465",
        "no valid time of the forecast has a truth and every baseline",
        where=str(streams.forecast.path),
        hint=_lacking(tally),
    )


def _lacking(tally: Tally) -> str | None:
    without = [f"{n} inits without {name}" for name, n in tally.without_baseline.items() if n]
    if tally.missing:
        without.append(f"the first without truth: {tally.missing[0]}")
    if tally.without_climatology:
        without.append(f"the first without climatology: {tally.without_climatology[0]}")
    return "; ".join(without) or None


def _add_truth(tally: Tally, streams: Streams) -> None:
    """The side of the truth, once, where times are not paired."""
    climate = streams.climate
    if climate is None or tally.done or streams.scoring.protocol.pairing == "time":
        return
    for second, place in truth_days(streams.truth, streams.truth_periods):
        for source in climate.members:
            fields = streams.truth.at(place)
            for key, state in climate.truth_states(source, second, streams.forecast.leads, fields):
                tally.add(key, state)
        tally.truth_days += 1


def score_init(tally: Tally, streams: Streams, position: int) -> None:
    """Everything of one initial time."""
    forecast = streams.forecast
    start = forecast.starts[position]
    made = {one.name: one.reads(start) for one in streams.baselines}
    lacking = [name for name, reads in made.items() if reads is None]
    for name in lacking:
        tally.without_baseline[name] += 1
    if lacking:
        return

    def mine(number: int) -> Read:
        return lambda channel: forecast.members_of(position, number, channel)

    sources = {MODEL: mine, **{name: reads for name, reads in made.items() if reads}}
    _score_sequence(tally, streams, start, sources)
    for number, lead in enumerate(forecast.leads):
        if _scored_lead(tally, streams, start, number, lead, sources):
            tally.pairs += 1


def _scored_lead(
    tally: Tally,
    streams: Streams,
    start: Start,
    number: int,
    lead: int,
    sources: Mapping[str, ByLead],
) -> bool:
    init = start.init
    place = streams.truth.place(start, lead)
    unpaired = streams.scoring.protocol.pairing == "distribution"
    if place is None and not unpaired:
        tally.missing.append(_moment(init + lead))
        return False
    real = None if place is None or unpaired else streams.truth.at(place)
    beside = _beside(streams, start, number, lead)
    if beside is None:
        tally.without_climatology.append(_moment(init + lead))
        return False
    for source, by_lead in sources.items():
        if real is not None:
            for statistic, name, state in streams.scoring.states(by_lead(number), real, *beside):
                tally.add(streams.key(source, statistic, name, init, lead), state)
        if streams.climate is not None:
            for key, state in streams.climate.states(source, init, lead, by_lead(number), real):
                tally.add(key, state)
    return True


def _beside(
    streams: Streams, start: Start, number: int, lead: int
) -> tuple[Read | None, Read | None] | None:
    """The climatology and the input of a valid time; none where one is needed and missing."""
    climate = coarse = None
    if streams.climatology is not None:
        usual = streams.climatology.reads(start)
        if usual is None:
            return None
        climate = _first(usual(number))
    if streams.coarse is not None:
        given = streams.coarse.place(start, lead)
        if given is None:
            return None
        coarse = streams.coarse.at(given)
    return climate, coarse


def _first(read: Read) -> Read:
    def one(channel: str) -> Field:
        field: Field = read(channel)[0]
        return field

    return one


def _score_sequence(
    tally: Tally, streams: Streams, start: Start, sources: Mapping[str, ByLead]
) -> None:
    """What needs all leads together, kept under no lead of its own."""
    if "initiation" not in streams.scoring.wanted:
        return
    places = [streams.truth.place(start, lead) for lead in streams.forecast.leads]
    if any(place is None for place in places):
        return
    truth = [streams.truth.at(place) for place in places if place is not None]
    for source, by_lead in sources.items():
        made = [by_lead(number) for number in range(len(places))]
        for name, state in initiation_states(streams.scoring, made, truth):
            tally.add(streams.key(source, "initiation", name, start.init, EVERY_LEAD), state)


def _moment(seconds: int) -> str:
    return str(np.datetime64(seconds, "s").astype("datetime64[m]"))
