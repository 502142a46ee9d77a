"""Windows: which times go into a sample, enumerated once and in one order.

A window has an init time, input times at fixed offsets before it and target times at fixed
leads after it.  It stays inside one period of its split and inside one segment of its store,
and every time it needs is there and usable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import IntegrityError
from wxreg.specs.timeaxis import Period, minutes_since_epoch

Ints = NDArray[np.int64]
_EPOCH = "1970-01-01T00:00"
_ABSENT = -1


class Start(NamedTuple):
    """Where a forecast begins: events that overlap in time have equal inits, not equal starts."""

    init: int
    """Seconds since 1970."""
    segment: int = 0
    """The event; 0 in a store that is one series."""


@dataclass(frozen=True)
class Axis:
    """The times of a store, in seconds since 1970 of its own calendar."""

    seconds: Ints
    segments: Ints
    """The segment (event) of each time; all zero where the store is one series."""
    usable: NDArray[np.bool_]
    """False for times that are marked as missing."""

    @classmethod
    def build(
        cls, seconds: Ints, segments: Ints | None = None, usable: NDArray[np.bool_] | None = None
    ) -> Axis:
        """An axis from its seconds; raises where times of one segment do not increase."""
        count = len(seconds)
        axis = cls(
            np.asarray(seconds, np.int64),
            np.zeros(count, np.int64) if segments is None else np.asarray(segments, np.int64),
            np.ones(count, bool) if usable is None else np.asarray(usable, bool),
        )
        axis._check_order()
        return axis

    def _check_order(self) -> None:
        order = np.argsort(self.segments, kind="stable")
        same = np.diff(self.segments[order]) == 0
        backwards = np.flatnonzero(same & (np.diff(self.seconds[order]) <= 0))
        if backwards.size:
            at = int(order[backwards[0] + 1])
            raise IntegrityError(
                "REG-535",
                f"time {at} of the store does not come after the one before it",
                hint="prepare the version again: its times must increase within each segment",
            )


def seconds_since_epoch(times: NDArray[Any], calendar: str = "standard") -> Ints:
    """Seconds since 1970 of datetime64 values, or of cftime objects in their own calendar."""
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[s]").astype(np.int64)
    import cftime

    own = times.flat[0].calendar if times.size else calendar
    return np.asarray(
        np.rint(cftime.date2num(times, "seconds since 1970-01-01", calendar=own)), np.int64
    )


def moment_seconds(moment: str, calendar: str = "standard") -> int:
    """Seconds since 1970 of a moment in normal form."""
    minutes = minutes_since_epoch(moment, calendar) - minutes_since_epoch(_EPOCH, calendar)
    return minutes * 60


def period_seconds(
    periods: Sequence[Period], calendar: str = "standard"
) -> tuple[tuple[int, int], ...]:
    """Start and end of each period in seconds since 1970."""
    return tuple(
        (moment_seconds(one.start, calendar), moment_seconds(one.end, calendar)) for one in periods
    )


@dataclass(frozen=True)
class Window:
    """One sample: positions of its input and target times on their stores' axes."""

    index: int
    segment: int
    init: int
    """Seconds since 1970 of the init time."""
    inputs: tuple[int, ...]
    targets: tuple[int, ...]
    """-1 for a target time that no store has."""
    leads: tuple[int, ...]
    """Lead times in seconds."""


@dataclass(frozen=True)
class Windows:
    """All windows of a split, held as arrays, ordered by segment and init time."""

    segment: Ints
    init: Ints
    inputs: Ints
    """Positions of the input times ``(N, H)``, oldest first."""
    targets: Ints
    """Positions of the target times ``(N, L)``."""
    leads: Ints
    """Lead times in seconds ``(N, L)``."""

    def __len__(self) -> int:
        return len(self.init)

    def __getitem__(self, index: int) -> Window:
        return Window(
            index,
            int(self.segment[index]),
            int(self.init[index]),
            tuple(self.inputs[index].tolist()),
            tuple(self.targets[index].tolist()),
            tuple(self.leads[index].tolist()),
        )

    @property
    def starts(self) -> tuple[Start, ...]:
        """Where each window begins."""
        return tuple(map(Start, self.init.tolist(), self.segment.tolist()))

    def choose(self, keep: NDArray[Any]) -> Windows:
        """The windows at these positions (or where this mask is True), in that order."""
        return Windows(
            self.segment[keep],
            self.init[keep],
            self.inputs[keep],
            self.targets[keep],
            self.leads[keep],
        )

    def at_inits(self, inits: Ints) -> Windows:
        """The windows whose init time is one of these."""
        return self.choose(np.isin(self.init, inits))


def enumerate_windows(
    inputs: Axis,
    targets: Axis | None,
    *,
    history: Sequence[int],
    leads: Sequence[int],
    periods: Sequence[tuple[int, int]] | None = None,
    truth: bool = True,
) -> Windows:
    """Every window that the stores can fill.

    ``history`` has the offsets of the input times in seconds, oldest first and not after the
    init time (``(-3600, 0)``); ``leads`` those of the targets.  With ``periods`` all times of a
    window lie in one of them.  Without ``truth`` target times may be absent or outside the
    periods (a forecast is asked for, not a comparison).
    """
    key = _Key(inputs, targets)
    order = np.argsort(key.of(inputs), kind="stable")
    init, segment = inputs.seconds[order], inputs.segments[order]
    back, ahead = np.asarray(history, np.int64), np.asarray(leads, np.int64)
    into = key.find(inputs, init[:, None] + back, segment)
    onto = (
        np.full((len(init), len(ahead)), _ABSENT, np.int64)
        if targets is None
        else key.find(targets, init[:, None] + ahead, segment)
    )
    needed = [back, ahead] if truth else [back]
    keep = (into != _ABSENT).all(axis=1) & _within(init, np.concatenate(needed), periods)
    if truth:
        keep &= (onto != _ABSENT).all(axis=1)
    shown = np.broadcast_to(ahead, (int(keep.sum()), len(ahead)))
    return Windows(segment[keep], init[keep], into[keep], onto[keep], shown)


def one_lead_each(windows: Sequence[Windows]) -> Windows:
    """The windows of several single leads as one list, for models that take one lead a call."""
    return Windows(
        *(
            np.concatenate([getattr(one, name) for one in windows])
            for name in ("segment", "init", "inputs", "targets", "leads")
        )
    )


class _Key:
    """One whole number for each (segment, time), so that looking up is a binary search."""

    def __init__(self, *axes: Axis | None) -> None:
        seconds = np.concatenate([axis.seconds for axis in axes if axis is not None])
        self._first = int(seconds.min()) if seconds.size else 0
        self._span = (int(seconds.max()) - self._first + 1) if seconds.size else 1

    def of(self, axis: Axis) -> Ints:
        return self._join(axis.seconds, axis.segments)

    def find(self, axis: Axis, wanted: Ints, segment: Ints) -> Ints:
        """Positions of ``wanted`` times on ``axis`` in that segment; -1 where not usable."""
        keys = self.of(axis)
        sorter = np.argsort(keys, kind="stable")
        asked = self._join(wanted, segment[:, None])
        inside = (wanted >= self._first) & (wanted < self._first + self._span)
        if not keys.size:
            return np.full(wanted.shape, _ABSENT, np.int64)
        place = sorter[np.minimum(np.searchsorted(keys, asked, sorter=sorter), keys.size - 1)]
        good = inside & (keys[place] == asked) & axis.usable[place]
        return np.where(good, place, _ABSENT)

    def _join(self, seconds: Ints, segments: Ints) -> Ints:
        return segments * self._span + (seconds - self._first)


def _within(
    init: Ints, offsets: Ints, periods: Sequence[tuple[int, int]] | None
) -> NDArray[np.bool_]:
    """Which windows lie, with all their times, in one of the periods."""
    if periods is None:
        return np.ones(len(init), bool)
    first = init + min(int(offsets.min(initial=0)), 0)
    last = init + max(int(offsets.max(initial=0)), 0)
    inside = np.zeros(len(init), bool)
    for start, end in periods:
        inside |= (first >= start) & (last < end)
    return inside
