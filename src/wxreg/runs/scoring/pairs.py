"""What is scored cell by cell of one field and its truth, or of a band of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.cellwise import CELLWISE
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.binning import Bins, by_atom
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.members import MemberScores
from wxreg.scores.spread_error import mean_and_spread
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]

_ORIGINS: Final = {"K": 273.15, "Pa": 100_000.0}
_NEVER: Final = np.float32(-3e38)
"""A value that reaches no threshold."""


@dataclass(frozen=True, eq=False)
class FieldPair:
    """One channel of one init and lead, cut to the cells that are scored, or a band of them."""

    channel: str
    made: Field
    real: Field
    usual: Field | None
    """The climatology."""
    bins: Bins
    weights: NDArray[np.float64] | None

    @cached_property
    def mean(self) -> Field:
        """The mean of the members that are present at each point."""
        return mean_and_spread(self.made)[0].astype(self.made.dtype)


def cells_state(scoring: Scoring, statistic: str, field: FieldPair) -> State:
    """The state of a statistic, with a leading axis of atoms of bins."""
    if statistic not in CELLWISE:
        return _pointwise(scoring, statistic, field)
    made, real, weights = field.made, field.real, field.weights
    update = CELLWISE[statistic](scoring.protocol, scoring.variable(field.channel))
    return by_atom(field.bins, lambda cells: update(made, np.where(cells, real, np.nan), weights))


def _pointwise(scoring: Scoring, statistic: str, field: FieldPair) -> State:
    made, real, bins = field.made, field.real, field.bins
    thresholds, protocol = scoring.thresholds(field.channel), scoring.protocol
    if statistic == "ensemble":
        scores = EnsembleScores(thresholds, protocol.engine)
        return scores.update(made, real, field.weights, bins)
    if statistic.startswith("mean"):
        made = field.mean[None]
    if statistic.endswith("anomaly"):
        assert field.usual is not None
        made, real = made - field.usual, real - field.usual
        return MemberScores().update(made, real, field.weights, bins)
    origin = _ORIGINS.get(scoring.variable(field.channel).units, 0.0)
    members = MemberScores(thresholds, origin)
    state = members.update(made, real, field.weights, bins)
    if protocol.missing == "exclude" or not thresholds:
        return state
    counts = members.update(no_event(made), no_event(real), field.weights, bins)
    names = ("contingency", "weighted_contingency")
    return State({**state.arrays, **{name: counts[name] for name in names}})


def no_event(field: Field) -> Field:
    """A field whose missing values reach no threshold."""
    return np.where(np.isfinite(field), field, _NEVER).astype(np.float32)
