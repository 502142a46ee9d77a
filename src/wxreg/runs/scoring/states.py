"""From one forecast field and its truth to states, for every metric of a protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.bands import Members, bands, held
from wxreg.runs.scoring.cellwise import ENSEMBLE_ONLY
from wxreg.runs.scoring.joint import joint_states
from wxreg.runs.scoring.kinds import BINNED
from wxreg.runs.scoring.pairs import FieldPair, cells_state, no_event
from wxreg.runs.scoring.statistics import BUILDERS, field_vectors
from wxreg.runs.scoring.wanted import Read, Scoring
from wxreg.scores.binning import Bins
from wxreg.scores.patterns import pattern_state
from wxreg.scores.spread_error import mean_and_spread
from wxreg.scores.states import State, merge_all

Field = NDArray[np.floating[Any]]


def field_states(
    scoring: Scoring,
    forecast: Read,
    truth: Read,
    climate: Read | None = None,
    coarse: Read | None = None,
) -> Iterator[tuple[str, str, State]]:
    """``(statistic, name, state)`` of one init and lead; one channel is read at a time.

    ``climate`` gives the climatology that anomalies are taken from, ``coarse`` what the
    model was given; each is needed by the metrics that say so.
    """
    bins = scoring.bins(truth)
    paired = scoring.paired
    for channel in dict.fromkeys(name for names in paired.values() for name in names):
        usual = None if climate is None else scoring.cells(climate(channel))
        made, real = held(forecast(channel)), scoring.cells(truth(channel))
        yield from _binned(scoring, channel, made, real, usual, bins)
        for statistic, names in paired.items():
            if channel in names and statistic not in BINNED:
                yield statistic, channel, _whole(scoring, statistic, channel, made, real)
    yield from joint_states(scoring, forecast, truth, coarse, bins)


def _binned(
    scoring: Scoring, channel: str, made: Members, real: Field, usual: Field | None, bins: Bins
) -> Iterator[tuple[str, str, State]]:
    """Everything that is scored cell by cell, band by band."""
    wanted = [
        statistic for statistic, names in scoring.paired.items()
        if statistic in BINNED and channel in names
        and not (statistic in ENSEMBLE_ONLY and len(made) < 2)
    ]  # fmt: skip
    states = dict.fromkeys(wanted, State())
    rows, columns = scoring.inside
    for band in bands((len(made), *real.shape)) if wanted else ():
        stored = slice(band.start + (rows.start or 0), band.stop + (rows.start or 0))
        field = FieldPair(
            channel=channel,
            made=made[:, stored, columns],
            real=real[band],
            usual=None if usual is None else usual[band],
            bins=bins.rows(band),
            weights=None if scoring.weights is None else scoring.weights[band],
        )
        for statistic in wanted:
            states[statistic] = states[statistic].merge(cells_state(scoring, statistic, field))
        del field  # before the next is read
    yield from ((statistic, channel, state) for statistic, state in states.items())


def _whole(scoring: Scoring, statistic: str, channel: str, made: Members, real: Field) -> State:
    """What needs whole fields, one member at a time where members are scored by themselves."""
    if statistic == "field_vector":
        return field_vectors(scoring.protocol).update(scoring.cells(made[...]), real)
    if statistic == "mean_pattern":
        mean, _ = mean_and_spread(scoring.cells(made[...]))
        return pattern_state(mean.astype(real.dtype), real, scoring.weights)
    members: Iterator[Field] = (scoring.cells(made[member]) for member in range(len(made)))
    if statistic == "pattern":
        return merge_all(pattern_state(member, real, scoring.weights) for member in members)
    if scoring.protocol.missing == "non-event" and statistic in ("fss", "neighbourhood"):
        members, real = map(no_event, members), no_event(real)
    update = BUILDERS[statistic](scoring.domain, scoring.protocol, scoring.thresholds(channel))
    return merge_all(update(member, real) for member in members)
