"""Which part of an evaluation a state belongs to."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

import numpy as np

MODEL: Final = "model"
"""The source of the states of the forecast itself; others are baselines."""

_SEASONS: Final = ("DJF", "MAM", "JJA", "SON")


@dataclass(frozen=True, order=True)
class StateKey:
    """One state: who is scored, by which statistic, on what, and when."""

    source: str
    statistic: str
    name: str
    """A channel (``refc``, ``t@500``), an event or a constraint."""
    lead: int
    """Seconds."""
    hour: str
    """``hour-06`` of the valid time where the protocol asks for hours, else empty."""
    season: str
    """``season-JJA`` of the valid time where the protocol asks for seasons, else empty."""
    block: int
    """The bootstrap block that the init time lies in."""

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


def season_bin(valid: int) -> str:
    """The season of a valid time (seconds since 1970)."""
    month = int(np.datetime64(valid, "s").astype("datetime64[M]").astype(int)) % 12
    return f"season-{_SEASONS[(month + 1) // 3 % 4]}"
