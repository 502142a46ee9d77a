"""Which part of an evaluation a state belongs to."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

MODEL: Final = "model"
"""The source of the states of the forecast itself; others are baselines."""

EVERY_LEAD: Final = -1
"""The lead of states that need all leads together."""

_SEASONS: Final = ("DJF", "MAM", "JJA", "SON")


@dataclass(frozen=True, order=True)
class StateKey:
    """One state: who is scored, by which statistic, on what, and when."""

    source: str
    statistic: str
    name: str
    """A channel (``refc``, ``t@500``), an event or a constraint."""
    lead: int
    """Seconds, or :data:`EVERY_LEAD`."""
    hour: str
    """``hour-06`` of the valid time where the protocol asks for hours, else empty."""
    season: str
    """``season-JJA`` of the valid time where the protocol asks for seasons, else empty."""
    block: int
    """The bootstrap block that the init time lies in; of climate states the year."""

    def text(self) -> str:
        """The name under which the state is stored."""
        return "|".join(map(str, astuple(self)))

    @classmethod
    def parse(cls, text: str) -> StateKey:
        """The key of a stored name."""
        source, statistic, name, lead, hour, season, block = text.split("|")
        return cls(source, statistic, name, int(lead), hour, season, int(block))


def hour_bin(valid: int) -> str:
    """The hour of day of a valid time."""
    return f"hour-{valid // 3600 % 24:02d}"


def season_bin(valid: int, calendar: str = "standard") -> str:
    """The season of a valid time (seconds since 1970 in its calendar)."""
    month = year_and_month(valid, calendar)[1]
    return f"season-{_SEASONS[month % 12 // 3]}"


def year_and_month(valid: int, calendar: str = "standard") -> tuple[int, int]:
    """The year and the month (1 to 12) of a time in its calendar."""
    import cftime

    moment = cftime.num2date(valid, "seconds since 1970-01-01", calendar)
    return int(moment.year), int(moment.month)
