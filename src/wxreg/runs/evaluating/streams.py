"""Everything that an evaluation reads: the forecast, its truth, and what stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from wxreg.data.windows import Start
from wxreg.runs.evaluating.climate import ClimateDays
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.scoring.heads import Heads
from wxreg.runs.scoring.keys import StateKey, hour_bin, season_bin
from wxreg.runs.scoring.wanted import Read, Scoring

_DAY: Final = 86_400
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
    heads: Mapping[str, Heads] = field(default_factory=dict)
    """The densities behind the members, of each forecast that stores their parameters."""
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
