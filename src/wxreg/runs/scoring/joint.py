"""Vectors, events and constraints: statistics that look at several variables together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.statistics import INPUT, constraint_of
from wxreg.runs.scoring.wanted import Read, Scoring
from wxreg.scores.binning import Bins, by_atom
from wxreg.scores.catalogue import METRICS
from wxreg.scores.multivariate import vector_state
from wxreg.scores.states import State, merge_all

Field = NDArray[np.floating[Any]]


def joint_states(
    scoring: Scoring, forecast: Read, truth: Read, coarse: Read | None, bins: Bins
) -> Iterator[tuple[str, str, State]]:
    """``(statistic, name, state)`` of everything that needs several variables at once."""
    if scoring.protocol.pairing != "time":
        return
    asked = {METRICS[metric.id].statistic for metric in scoring.protocol.metrics}
    if "vector" in asked:
        yield from _vectors(scoring, forecast, truth, bins)
    if "event" in asked:
        yield from _events(scoring, forecast, truth, bins)
    if "constraint" in asked:
        yield from _constraints(scoring, forecast, coarse)


def _vectors(
    scoring: Scoring, forecast: Read, truth: Read, bins: Bins
) -> Iterator[tuple[str, str, State]]:
    """Both components of each declared vector, under the name of its first."""
    for channel in scoring.wanted.get("vector", ()):
        name, at, level = channel.partition("@")
        variable = scoring.lexicon[name]
        other = f"{variable.partner}{at}{level}"
        if variable.vector != "x" or other not in scoring.channels:
            continue
        u, v = scoring.cells(truth(channel)), scoring.cells(truth(other))
        made = scoring.cells(forecast(channel)), scoring.cells(forecast(other))

        def update(
            cells: NDArray[np.bool_], made: tuple[Field, Field] = made,
            real: tuple[Field, Field] = (u, v),
        ) -> State:  # fmt: skip
            kept = np.where(cells, real[0], np.nan), real[1]
            pairs = zip(*made, strict=True)
            return merge_all(vector_state(pair, kept, scoring.weights) for pair in pairs)

        yield "vector", channel, by_atom(bins, update)


def _events(
    scoring: Scoring, forecast: Read, truth: Read, bins: Bins
) -> Iterator[tuple[str, str, State]]:
    for name, event in scoring.events.items():
        made = {one: scoring.cells(forecast(one)) for one in event.variables}
        real = {one: scoring.cells(truth(one)) for one in event.variables}
        count = len(next(iter(made.values())))
        members = [{one: field[m] for one, field in made.items()} for m in range(count)]

        def update(
            cells: NDArray[np.bool_], event: Any = event, real: dict[str, Field] = real,
            members: list[dict[str, Field]] = members,
        ) -> State:  # fmt: skip
            kept = {one: np.where(cells, field, np.nan) for one, field in real.items()}
            return merge_all(event.update(member, kept) for member in members)

        yield "event", name, by_atom(bins, update)


def _constraints(
    scoring: Scoring, forecast: Read, coarse: Read | None
) -> Iterator[tuple[str, str, State]]:
    """Each member is a sample; against the input, whole fields are looked at."""
    for declared in scoring.protocol.constraints:
        constraint = constraint_of(declared)
        inputs = [one for one in constraint.variables if one.startswith(INPUT)]
        mine = [one for one in constraint.variables if one not in inputs]
        made = {one: forecast(one) if inputs else scoring.cells(forecast(one)) for one in mine}
        given: dict[str, Field] = {}
        if inputs:
            assert coarse is not None
            given = {one: coarse(one.removeprefix(INPUT)) for one in inputs}
        members = range(len(next(iter(made.values()))))
        each = ({**{one: made[one][m] for one in mine}, **given} for m in members)
        yield "constraint", constraint.id, merge_all(constraint.update(one) for one in each)
