"""Durations: parsed once, printed one way, compared exactly.

``1h``, ``90min``, ``3d``, ``PT6H`` and ``P1DT12H`` are durations; ``3h..12h/3h`` is a range,
``1h,3h`` a list.  A duration is a whole number of seconds and may not be negative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from itertools import pairwise
from typing import Annotated, Final

from pydantic import GetPydanticSchema
from pydantic_core import core_schema

from wxreg.errors import UsageError

_UNITS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PLAIN: Final = re.compile(r"(\d{1,9})\s*(s|sec|min|h|d)")
_ISO: Final = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?")
_LONGEST_RANGE: Final = 10_000


@total_ordering
@dataclass(frozen=True)
class Duration:
    """A whole, non-negative number of seconds."""

    seconds: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read one duration; ``UsageError`` says what was expected."""
        plain = _PLAIN.fullmatch(text.strip())
        if plain:
            return cls(int(plain[1]) * _UNITS[plain[2]])
        iso = _ISO.fullmatch(text.strip())
        if iso and any(iso.groups()):
            days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
            return cls(days * 86400 + hours * 3600 + minutes * 60 + seconds)
        raise UsageError(
            "REG-205", f"{text!r} is not a duration", hint="write 1h, 90min, 3d or PT6H"
        )

    def __str__(self) -> str:
        for unit in ("h", "min"):
            if self.seconds % _UNITS[unit] == 0:
                return f"{self.seconds // _UNITS[unit]}{unit}"
        return f"{self.seconds}s"

    def __lt__(self, other: Duration) -> bool:
        return self.seconds < other.seconds

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.seconds + other.seconds)

    def __mul__(self, count: int) -> Duration:
        return Duration(self.seconds * count)

    @property
    def hours(self) -> float:
        """The duration in hours, for axes and labels."""
        return self.seconds / 3600

    def divides(self, other: Duration) -> bool:
        """Whether ``other`` is a whole number of these."""
        return self.seconds > 0 and other.seconds % self.seconds == 0

    def steps_in(self, other: Duration) -> int:
        """How many of these make ``other``; only where :meth:`divides` holds."""
        if not self.divides(other):
            raise UsageError("REG-205", f"{other} is not a whole number of {self} steps")
        return other.seconds // self.seconds


ZERO: Final = Duration(0)


def parse_leads(text: str) -> tuple[Duration, ...]:
    """Read one duration, a list ``1h,3h`` or a range ``3h..12h/3h``; sorted, without repeats."""
    found: set[Duration] = set()
    for part in text.split(","):
        found.update(_parse_part(part.strip()))
    return tuple(sorted(found))


def _parse_part(part: str) -> tuple[Duration, ...]:
    if ".." not in part:
        return (Duration.parse(part),)
    ends, _, step_text = part.partition("/")
    first, last = (Duration.parse(end) for end in ends.split("..", 1))
    step = Duration.parse(step_text) if step_text else first
    if step.seconds == 0 or last < first or (last.seconds - first.seconds) % step.seconds:
        raise UsageError(
            "REG-205",
            f"{part!r} is not a range of lead times",
            hint="write START..END/STEP with END a whole number of steps after START",
        )
    if (last.seconds - first.seconds) // step.seconds > _LONGEST_RANGE:
        raise UsageError("REG-205", f"{part!r} has more than {_LONGEST_RANGE} lead times")
    return tuple(Duration(s) for s in range(first.seconds, last.seconds + 1, step.seconds))


def print_leads(leads: tuple[Duration, ...]) -> str:
    """The shortest text that :func:`parse_leads` reads back as ``leads``."""
    if len(leads) > 2:
        gaps = {b.seconds - a.seconds for a, b in pairwise(leads)}
        if len(gaps) == 1:
            return f"{leads[0]}..{leads[-1]}/{Duration(gaps.pop())}"
    return ",".join(map(str, leads))


def _duration_schema() -> core_schema.CoreSchema:
    def read(value: object) -> Duration:
        if isinstance(value, Duration):
            return value
        if not isinstance(value, str):
            raise ValueError("a duration is text such as 1h, 90min or PT6H")
        try:
            return Duration.parse(value)
        except UsageError as error:
            raise ValueError(str(error.message)) from error

    return core_schema.no_info_plain_validator_function(
        read,
        serialization=core_schema.plain_serializer_function_ser_schema(
            str, return_schema=core_schema.str_schema()
        ),
        json_schema_input_schema=core_schema.str_schema(),
    )


def _leads_schema() -> core_schema.CoreSchema:
    def read(value: object) -> tuple[Duration, ...]:
        if isinstance(value, tuple | list):
            return tuple(
                sorted({d if isinstance(d, Duration) else Duration.parse(d) for d in value})
            )
        if not isinstance(value, str):
            raise ValueError("lead times are text such as 1h, 1h,3h or 3h..12h/3h")
        try:
            return parse_leads(value)
        except UsageError as error:
            raise ValueError(str(error.message)) from error

    return core_schema.no_info_plain_validator_function(
        read,
        serialization=core_schema.plain_serializer_function_ser_schema(
            print_leads, return_schema=core_schema.str_schema()
        ),
        json_schema_input_schema=core_schema.str_schema(),
    )


DurationField = Annotated[Duration, GetPydanticSchema(lambda _type, _handler: _duration_schema())]
"""A :class:`Duration` as a field of a spec: text in YAML, one form when printed."""

LeadsField = Annotated[
    tuple[Duration, ...], GetPydanticSchema(lambda _type, _handler: _leads_schema())
]
"""A sorted set of lead times as a field of a spec, written as a list or a range."""
