"""Time as datasets have it: moments and periods in a calendar, cadences, splits with buffers."""

import re
from itertools import combinations
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, model_validator

from wxreg.leadtime import ZERO, DurationField
from wxreg.specs.base import Spec

Calendar = Literal[
    "standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day", "varies"
]

_MOMENT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::?(\d\d))?)?Z?")
_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def normal_moment(text: str) -> str:
    """``2023-06-01``, ``2023-06-01T00`` … as ``2023-06-01T00:00``; text sorts as time does."""
    match = _MOMENT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time: write 2023-06-01T00:00")
    year, month, day, hour, minute = (int(part or 0) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
        raise ValueError(f"{text!r} is not a time: a part is out of range")
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}"


Moment = Annotated[str, AfterValidator(normal_moment)]
"""A time to the minute in the dataset's own calendar, in UTC, fixed width."""


def minutes_since_epoch(moment: str, calendar: str = "standard") -> int:
    """Minutes from 0000-01-01 in that calendar: only differences mean anything."""
    year, month, day, hour, minute = (int(part) for part in re.split(r"[-T:]", moment))
    return (_days(year, month, day, calendar) * 24 + hour) * 60 + minute


def _days(year: int, month: int, day: int, calendar: str) -> int:
    if calendar == "360_day":
        return year * 360 + (month - 1) * 30 + day - 1
    whole = year * 365 + sum(_MONTHS[: month - 1]) + day - 1
    before = year - 1
    if calendar == "noleap":
        leaps, leap = 0, False
    elif calendar == "all_leap":
        leaps, leap = year, True
    elif calendar == "julian":
        leaps, leap = before // 4 + 1, year % 4 == 0
    else:
        leaps = before // 4 - before // 100 + before // 400 + 1
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return whole + leaps + (1 if leap and month > 2 else 0)


class Period(Spec):
    """The times from ``start`` up to, not including, ``end``."""

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"a period must end after its start, not {self.start} to {self.end}")
        return self

    def overlaps(self, other: Self) -> bool:
        """Whether the two share any time."""
        return self.start < other.end and other.start < self.end

    def contains(self, moment: str) -> bool:
        """Whether ``moment`` (in normal form) lies in the period."""
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


SplitName = Literal["train", "validation", "test"]


class Splits(Spec):
    """Which times train, validate and test; no two come nearer than the buffer."""

    train: tuple[Period, ...]
    validation: tuple[Period, ...]
    test: tuple[Period, ...]
    buffer: DurationField = ZERO
    """Time that must lie between periods of different splits."""

    def periods(self, name: str) -> tuple[Period, ...]:
        """The periods of one split."""
        found: tuple[Period, ...] = getattr(self, name)
        return found

    def too_near(self, calendar: str) -> tuple[tuple[str, Period, str, Period], ...]:
        """Pairs of periods of unlike splits that overlap or keep less than the buffer."""
        named = [
            (name, period)
            for name in ("train", "validation", "test")
            for period in self.periods(name)
        ]
        return tuple(
            (one, a, two, b)
            for (one, a), (two, b) in combinations(named, 2)
            if one != two and _gap_minutes(a, b, calendar) * 60 < self.buffer.seconds
        )


def _gap_minutes(a: Period, b: Period, calendar: str) -> int:
    if a.overlaps(b):
        return -1
    first, second = (a, b) if a.start < b.start else (b, a)
    return minutes_since_epoch(second.start, calendar) - minutes_since_epoch(first.end, calendar)


class TimeAxis(Spec):
    """The steps a dataset has."""

    cadence: DurationField
    calendar: Calendar = "standard"
    start: Moment | None = None
    end: Moment | None = None
    """First time that the archive no longer has; open while it still grows."""
    stamp: Literal["instant", "period-end", "period-start"] = "instant"
    """What the time of an accumulation or mean stands for."""
    segments: bool = False
    """Whether the data are separate events, each with a time axis of its own."""
