"""Convective initiation: where the leads of one initial time, taken together, begin a storm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from wxreg.runs.scoring.settings import setting
from wxreg.runs.scoring.statistics import stacked
from wxreg.runs.scoring.wanted import Read, Scoring
from wxreg.scores.initiation import Frames, Initiation
from wxreg.scores.states import State, merge_all


def initiation_states(
    scoring: Scoring, forecast: Sequence[Read], truth: Sequence[Read]
) -> Iterator[tuple[str, State]]:
    """``(channel, state)`` of one sequence of leads; only blocks are kept of each field."""
    for channel in scoring.wanted.get("initiation", ()):
        each = [
            _matched(scoring, initiation, channel, forecast, truth)
            for initiation in _initiations(scoring, channel)
        ]
        yield channel, stacked(each)


def _initiations(scoring: Scoring, channel: str) -> list[Initiation]:
    name = channel.partition("@")[0]
    block = setting(scoring.protocol, "initiation", "block", 8, name)
    tolerance = setting(scoring.protocol, "initiation", "tolerance", 2, name)
    return [Initiation(one, block, tolerance) for one in scoring.thresholds(channel)]


def _matched(
    scoring: Scoring,
    initiation: Initiation,
    channel: str,
    forecast: Sequence[Read],
    truth: Sequence[Read],
) -> State:
    real = [initiation.frames(scoring.cells(read(channel))) for read in truth]
    made = [initiation.frames(scoring.cells(read(channel))) for read in forecast]
    members = range(len(made[0].active))
    sequences = (
        Frames(np.stack([f.active[m] for f in made]), np.stack([f.whole[m] for f in made]))
        for m in members
    )
    observed = Frames(np.stack([f.active for f in real]), np.stack([f.whole for f in real]))
    return merge_all(initiation.match(one, observed) for one in sequences)
