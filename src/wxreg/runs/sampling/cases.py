"""Declared case selections become initial times on real data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cftime
import numpy as np
from numpy.typing import NDArray

from wxreg.data.fields import FieldStore
from wxreg.data.forecast_layout import EPOCH
from wxreg.data.windows import Start, moment_seconds, period_seconds
from wxreg.errors import Incompatible, IntegrityError
from wxreg.ids import near_names
from wxreg.library.loading import Library
from wxreg.runs.stores import ready_stores
from wxreg.scores.events import Event
from wxreg.specs.plan import SamplePlan
from wxreg.specs.protocol import Cases

_AT_ONCE = 64
"""Times whose fields are in memory together."""
Chosen = NDArray[np.bool_]
"""Which times of a store are cases."""
Periods = tuple[tuple[int, int], ...]


def case_starts(library: Library, plan: SamplePlan) -> tuple[Start, ...] | None:
    """Where the forecasts of the plan's case selection begin, in order; none without one."""
    if plan.starts.cases is None or plan.about.cases is None:
        return None
    cases = library.entry("case", plan.about.cases, Cases)
    if cases.digest() != plan.starts.cases:
        raise IntegrityError("REG-560", f"the cases {cases.id} are not those that the plan pins")
    (store,) = ready_stores(library, plan.inputs)
    chosen = _chosen(cases, store, period_seconds(plan.starts.periods, plan.inputs.calendar))
    if not chosen.any():
        raise Incompatible(
            "REG-461",
            f"the cases {cases.id} choose no time of {plan.inputs.dataset}",
            hint="lower the threshold or the share, or choose another split",
        )
    axis = FieldStore(store, ()).axis
    pairs = zip(axis.seconds[chosen].tolist(), axis.segments[chosen].tolist(), strict=True)
    return tuple(sorted(Start(*pair) for pair in pairs)[: cases.limit])


def _chosen(cases: Cases, store: Path, periods: Periods) -> Chosen:
    if cases.condition is not None:
        return _where(cases, store, periods)
    if cases.variable is not None and cases.warmest is not None:
        return _warmest(cases.variable, cases.warmest, store, periods)
    opened = FieldStore(store, ())
    seconds = opened.axis.seconds
    if cases.events:
        return _of_events(cases, opened) & _inside(seconds, periods)
    wanted = [moment_seconds(time, opened.calendar) for time in cases.times]
    absent = np.flatnonzero(~np.isin(wanted, seconds))
    if absent.size:
        raise _not_there(cases, "time", [cases.times[n] for n in absent], ())
    return np.isin(seconds, wanted)


def _of_events(cases: Cases, opened: FieldStore) -> Chosen:
    """The times of the listed events, each by its name or by the number of its segment."""
    segments = opened.axis.segments
    numbers = {str(number): number for number in np.unique(segments).tolist()}
    numbers |= {name: number for number, name in enumerate(opened.events)}
    absent = [event for event in cases.events if event not in numbers]
    if absent:
        raise _not_there(cases, "event", absent, tuple(numbers))
    return np.isin(segments, [numbers[event] for event in cases.events])


def _not_there(
    cases: Cases, what: str, absent: Sequence[str], known: Sequence[str]
) -> Incompatible:
    near = near_names(absent[0], known)
    return Incompatible(
        "REG-461",
        f"the data have no {what} {', '.join(absent)}",
        where=f"cases {cases.id}",
        hint=f"did you mean {' or '.join(near)}?" if near else f"list {what}s that the data have",
    )


def _where(cases: Cases, store: Path, periods: Periods) -> Chosen:
    """The times at which the condition holds over at least the declared share of the domain."""
    event = Event.parse(cases.condition or "")
    opened = FieldStore(store, event.variables)
    chosen = np.zeros(len(opened.axis.seconds), bool)
    for places in _pieces(np.flatnonzero(_inside(opened.axis.seconds, periods))):
        values = opened.at(places)
        fields = {name: values[:, number] for number, name in enumerate(event.variables)}
        real = event.present(fields)
        share = (event.happens(fields) & real).sum((-2, -1)) / np.maximum(real.sum((-2, -1)), 1)
        chosen[places] = share >= (cases.share or 0.0)
    return chosen


def _warmest(variable: str, years: int, store: Path, periods: Periods) -> Chosen:
    """The times of the years whose mean of a variable is highest."""
    opened = FieldStore(store, (variable,))
    inside = np.flatnonzero(_inside(opened.axis.seconds, periods))
    pieces = [np.nanmean(opened.at(p)[:, 0], axis=(-2, -1)) for p in _pieces(inside)]
    means = np.concatenate(pieces) if pieces else np.empty(0)
    year = _years(opened.axis.seconds[inside], opened.calendar)
    ranked = sorted(np.unique(year), key=lambda one: -float(np.nanmean(means[year == one])))
    chosen = np.zeros(len(opened.axis.seconds), bool)
    chosen[inside] = np.isin(year, ranked[:years])
    return chosen


def _years(seconds: NDArray[np.int64], calendar: str) -> NDArray[np.int64]:
    dates = cftime.num2date(seconds, EPOCH, calendar)
    return np.array([date.year for date in np.atleast_1d(dates)], np.int64)


def _inside(seconds: NDArray[np.int64], periods: Periods) -> Chosen:
    if not periods:
        return np.ones(len(seconds), bool)
    each = [(seconds >= start) & (seconds < end) for start, end in periods]
    return np.asarray(np.logical_or.reduce(each), bool)


def _pieces(places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(places), _AT_ONCE):
        yield places[start : start + _AT_ONCE]
