"""Declared case selections become initial times on real data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wxreg.data.fields import FieldStore
from wxreg.data.windows import moment_seconds, period_seconds
from wxreg.errors import Incompatible, IntegrityError
from wxreg.library.loading import Library
from wxreg.runs.stores import ready_stores
from wxreg.scores.events import Event
from wxreg.specs.plan import SamplePlan
from wxreg.specs.protocol import Cases

_AT_ONCE = 64
"""Times whose fields are in memory together."""


def case_times(library: Library, plan: SamplePlan) -> tuple[int, ...] | None:
    """The initial times of the plan's case selection in seconds since 1970; none without one."""
    if plan.starts.cases is None or plan.about.cases is None:
        return None
    cases = library.entry("case", plan.about.cases, Cases)
    if cases.digest() != plan.starts.cases:
        raise IntegrityError("REG-560", f"the cases {cases.id} are not those that the plan pins")
    calendar = plan.inputs.calendar
    if cases.times:
        return tuple(moment_seconds(time, calendar) for time in cases.times)
    (store,) = ready_stores(library, plan.inputs)
    periods = period_seconds(plan.starts.periods, calendar)
    chosen = np.unique(_chosen(cases, store, periods))
    if not len(chosen):
        raise Incompatible(
            "REG-461", f"the cases {cases.id} choose no time of {plan.inputs.dataset}"
        )
    return tuple(int(time) for time in chosen[: cases.limit])


def _chosen(cases: Cases, store: Path, periods: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    if cases.condition is not None:
        return _where(cases, store, periods)
    if cases.variable is not None and cases.warmest is not None:
        return _warmest(cases.variable, cases.warmest, store, periods)
    opened = FieldStore(store, ())
    wanted = np.isin(opened.axis.segments, [int(event) for event in cases.events])
    return opened.axis.seconds[wanted & _inside(opened.axis.seconds, periods)]


def _where(cases: Cases, store: Path, periods: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    """The times at which the condition holds over at least the declared share of the domain."""
    event = Event.parse(cases.condition or "")
    opened = FieldStore(store, event.variables)
    seconds = opened.axis.seconds
    found = []
    for places in _pieces(np.flatnonzero(_inside(seconds, periods))):
        values = opened.at(places)
        fields = {name: values[:, number] for number, name in enumerate(event.variables)}
        real = event.present(fields)
        share = (event.happens(fields) & real).sum((-2, -1)) / np.maximum(real.sum((-2, -1)), 1)
        found.append(seconds[places[share >= (cases.share or 0.0)]])
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _warmest(
    variable: str, years: int, store: Path, periods: tuple[tuple[int, int], ...]
) -> NDArray[np.int64]:
    """The times of the years whose mean of a variable is highest."""
    opened = FieldStore(store, (variable,))
    seconds = opened.axis.seconds
    inside = np.flatnonzero(_inside(seconds, periods))
    means = np.concatenate(
        [np.nanmean(opened.at(places)[:, 0], axis=(-2, -1)) for places in _pieces(inside)]
    )
    year = seconds[inside].astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64)
    known = np.unique(year)
    ranked = sorted(known, key=lambda one: -float(means[year == one].mean()))
    return seconds[inside[np.isin(year, ranked[:years])]]


def _inside(seconds: NDArray[np.int64], periods: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    if not periods:
        return np.ones(len(seconds), bool)
    each = [(seconds >= start) & (seconds < end) for start, end in periods]
    return np.asarray(np.logical_or.reduce(each), bool)


def _pieces(places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(places), _AT_ONCE):
        yield places[start : start + _AT_ONCE]
