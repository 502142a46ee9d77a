"""What preparation does about fields that the source lacks: a declared policy."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wxreg.data.stores import FLAGS
from wxreg.errors import Incompatible

GapPolicy = Literal["refuse", "interpolate", "previous", "mark"]
Reading = Callable[[int], NDArray[np.float32]]


@dataclass(frozen=True)
class FieldGaps:
    """The positions on the time axis at which one variable is missing, and what fills them."""

    policy: GapPolicy
    missing: tuple[int, ...]
    seconds: NDArray[np.int64]
    segments: NDArray[Any] | None = None

    def neighbours(self, position: int) -> tuple[int | None, int | None]:
        """The nearest present positions before and after, within the same segment."""
        gone = set(self.missing)
        before = next((i for i in range(position - 1, -1, -1) if i not in gone), None)
        after = next((i for i in range(position + 1, len(self.seconds)) if i not in gone), None)
        return self._same_segment(position, before), self._same_segment(position, after)

    def _same_segment(self, position: int, other: int | None) -> int | None:
        if other is None or self.segments is None:
            return other
        return other if self.segments[other] == self.segments[position] else None

    def filling(self, position: int) -> str:
        """Which of ``FLAGS`` describes the field at a position."""
        at = bisect(self.missing, position) - 1
        if at < 0 or self.missing[at] != position:
            return "read"
        before, after = self.neighbours(position)
        if self.policy == "interpolate" and before is not None and after is not None:
            return "interpolated"
        if self.policy == "previous" and before is not None:
            return "previous"
        return "missing"

    def flags(self) -> NDArray[np.int8]:
        """The flag of every position."""
        found = np.zeros(len(self.seconds), np.int8)
        for position in self.missing:
            found[position] = FLAGS[self.filling(position)]
        return found

    def field(self, position: int, read: Reading) -> NDArray[np.float32]:
        """The field at a position: read, filled by the policy, or NaN."""
        filling = self.filling(position)
        before, after = self.neighbours(position) if filling != "read" else (None, None)
        if filling == "interpolated" and before is not None and after is not None:
            span = self.seconds[after] - self.seconds[before]
            share = np.float32((self.seconds[position] - self.seconds[before]) / span)
            return read(before) * (1 - share) + read(after) * share
        if filling == "previous" and before is not None:
            return read(before)
        return read(position)


def refuse_gaps(policy: GapPolicy, variable: str, moments: list[str], where: str) -> None:
    """Raise if the policy allows no gap and there is one."""
    if policy == "refuse" and moments:
        shown = ", ".join(moments[:5]) + (" …" if len(moments) > 5 else "")
        raise Incompatible(
            "REG-432",
            f"{variable} is missing at {len(moments)} times: {shown}",
            where=where,
            hint="choose the gap policy mark, previous or interpolate, or another period",
        )
