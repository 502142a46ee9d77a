"""The parts that an evaluation is cut into, each scored by itself on any thread or machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from wxreg.data.windows import Start
from wxreg.runs.evaluating.climate import truth_days
from wxreg.runs.evaluating.fields import Field
from wxreg.runs.evaluating.streams import ByLead, Streams
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.scoring.heads import head_states
from wxreg.runs.scoring.keys import EVERY_LEAD, MODEL
from wxreg.runs.scoring.sequences import initiation_states
from wxreg.runs.scoring.states import field_states
from wxreg.runs.scoring.wanted import Read

_DAYS: Final = 32


@dataclass(frozen=True)
class Unit:
    """One initial time, or some days of the truth where times are not paired."""

    init: int | None
    """The position of the initial time."""
    days: tuple[int, int] = (0, 0)
    """The first day of the truth, and the one after the last."""


def units_of(streams: Streams, inits: Sequence[int]) -> tuple[Unit, ...]:
    """Every part of an evaluation of some inits, in the order in which they are merged."""
    count = len(truth_days(streams.truth, streams.truth_periods)) if _unpaired(streams) else 0
    days = [Unit(None, (n, min(n + _DAYS, count))) for n in range(0, count, _DAYS)]
    return (*days, *map(Unit, inits))


def scored(streams: Streams, unit: Unit) -> Tally:
    """Everything of one part."""
    tally = Tally(without_baseline={one.name: 0 for one in streams.baselines})
    if unit.init is None:
        _score_truth(tally, streams, unit)
    else:
        _score_init(tally, streams, unit.init)
    return tally


def _unpaired(streams: Streams) -> bool:
    return streams.climate is not None and streams.scoring.protocol.pairing != "time"


def _score_truth(tally: Tally, streams: Streams, unit: Unit) -> None:
    """Days of the truth, each of which is compared with every source."""
    climate = streams.climate
    assert climate is not None
    for second, place in truth_days(streams.truth, streams.truth_periods)[slice(*unit.days)]:
        for source in climate.members:
            fields = streams.truth.at(place)
            for key, state in climate.truth_states(source, second, streams.forecast.leads, fields):
                tally.add(key, state)
        tally.truth_days += 1


@dataclass(frozen=True)
class _Made:
    """What there is of one initial time."""

    start: Start
    sources: Mapping[str, ByLead]
    """The forecast itself and every baseline."""
    usual: ByLead | None
    """The climatology."""


def _score_init(tally: Tally, streams: Streams, position: int) -> None:
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
    usual = None if streams.climatology is None else streams.climatology.reads(start)
    _score_sequence(tally, streams, start, sources)
    for number in range(len(forecast.leads)):
        if _scored_lead(tally, streams, _Made(start, sources, usual), number):
            tally.pairs += 1


def _scored_lead(tally: Tally, streams: Streams, made: _Made, number: int) -> bool:
    init, lead = made.start.init, streams.forecast.leads[number]
    place = streams.truth.place(made.start, lead)
    unpaired = streams.scoring.protocol.pairing == "distribution"
    if place is None and not unpaired:
        tally.missing.append(_moment(init + lead))
        return False
    real = None if place is None or unpaired else streams.truth.at(place)
    beside = _beside(streams, made, number)
    if beside is None:
        tally.without_climatology.append(_moment(init + lead))
        return False
    for source, by_lead in made.sources.items():
        if real is not None:
            heads = streams.heads.get(source, {})
            states = chain(
                field_states(streams.scoring, by_lead(number), real, *beside),
                head_states(streams.scoring, heads, by_lead(number), real),
            )
            for statistic, name, state in states:
                tally.add(streams.key(source, statistic, name, init, lead), state)
        if streams.climate is not None:
            for key, state in streams.climate.states(source, init, lead, by_lead(number), real):
                tally.add(key, state)
    return True


def _beside(streams: Streams, made: _Made, number: int) -> tuple[Read | None, Read | None] | None:
    """The climatology and the input of a valid time; none where one is needed and missing."""
    climate = coarse = None
    if streams.climatology is not None:
        if made.usual is None:
            return None
        climate = _first(made.usual(number))
    if streams.coarse is not None:
        given = streams.coarse.place(made.start, streams.forecast.leads[number])
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
