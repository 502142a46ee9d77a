"""What would let test data into training: near splits, overlapping events, windows on a border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyproj
from numpy.typing import NDArray

from wxreg.data.windows import Windows, period_seconds
from wxreg.findings import Finding
from wxreg.specs.timeaxis import Splits

_EVENT_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Events:
    """Where and when events are: squares in a plane, and spans of time."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    """Lower-left corners in metres."""
    side: NDArray[np.float64]
    start: NDArray[np.int64]
    """Seconds."""
    seconds: int = _EVENT_SECONDS

    @classmethod
    def from_corners(
        cls,
        lat: NDArray[np.float64],
        lon: NDArray[np.float64],
        side: NDArray[np.float64],
        middle: NDArray[np.int64],
        projection: str,
    ) -> Events:
        """Events from their lower-left corners in degrees and the seconds of their middle."""
        to_plane = pyproj.Transformer.from_crs("EPSG:4326", projection, always_xy=True)
        x, y = to_plane.transform(lon, lat)
        start = np.asarray(middle, np.int64) - _EVENT_SECONDS // 2
        return cls(np.asarray(x), np.asarray(y), np.asarray(side, np.float64), start)

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Overlaps:
    """Pairs of events that share space and time, and which part of the smaller they share."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: NDArray[np.float64]

    def events(self, at_least: float = 0.0) -> NDArray[np.int64]:
        """The events that are in a pair which shares more than that."""
        keep = self.share > at_least
        return np.unique(np.concatenate([self.first[keep], self.second[keep]]))


def overlapping(events: Events) -> Overlaps:
    """Every pair of events that share space and time."""
    order = np.argsort(events.start, kind="stable")
    start = events.start[order]
    until = np.searchsorted(start, start + events.seconds, side="left")
    first, second = (
        np.concatenate(parts) if parts else np.empty(0, np.int64)
        for parts in zip(
            *(
                (np.full(end - here - 1, order[here]), order[here + 1 : end])
                for here, end in enumerate(until.tolist())
            ),
            strict=True,
        )
    )
    share = _shared(events, first, second)
    keep = share > 0
    return Overlaps(first[keep], second[keep], share[keep])


def _shared(
    events: Events, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The shared part of the space-time volume of the smaller of each pair."""
    side_a, side_b = events.side[first], events.side[second]
    area = np.ones(len(first))
    for corner in (events.x, events.y):
        low = np.maximum(corner[first], corner[second])
        high = np.minimum(corner[first] + side_a, corner[second] + side_b)
        area *= np.maximum(high - low, 0)
    apart = np.abs(events.start[first] - events.start[second])
    time = np.maximum(events.seconds - apart, 0) / events.seconds
    return np.asarray(area / np.minimum(side_a, side_b) ** 2 * time, np.float64)


@dataclass(frozen=True)
class Leak:
    """How many events of the test split meet one of the training split."""

    test: int
    touched: int
    """Test events that share any space and time with a training event."""
    heavy: int
    """Those that share more than a quarter."""

    @property
    def touched_share(self) -> float:
        """Their share of the test events."""
        return self.touched / self.test if self.test else 0.0

    @property
    def heavy_share(self) -> float:
        """The share of test events that keep more than a quarter in training."""
        return self.heavy / self.test if self.test else 0.0


def leak(overlaps: Overlaps, training: NDArray[np.bool_], test: NDArray[np.bool_]) -> Leak:
    """What of the ``test`` events (a mask) is in the ``training`` events (a mask)."""

    def met(at_least: float) -> int:
        keep = overlaps.share > at_least
        one, two = overlaps.first[keep], overlaps.second[keep]
        hit = np.concatenate([one[test[one] & training[two]], two[test[two] & training[one]]])
        return len(np.unique(hit))

    return Leak(int(test.sum()), met(0.0), met(0.25))


def random_split(overlaps: Overlaps, count: int, draws: int = 20) -> Leak:
    """What a split of a fifth of the events at random would leak, in the mean of some draws."""
    chosen = [np.random.default_rng(seed).permutation(count) < count // 5 for seed in range(draws)]
    found = [leak(overlaps, ~test, test) for test in chosen]
    return Leak(
        sum(one.test for one in found),
        sum(one.touched for one in found),
        sum(one.heavy for one in found),
    )


def split_findings(splits: Splits, calendar: str, where: str) -> list[Finding]:
    """A finding for each pair of periods of unlike splits that are too near each other."""
    return [
        Finding(
            "error",
            "REG-438",
            where,
            f"{one} ({a}) and {two} ({b}) overlap or keep less than {splits.buffer} apart",
            "move their borders apart, or declare a shorter buffer and say why",
        )
        for one, a, two, b in splits.too_near(calendar)
    ]


def event_findings(
    events: Events, splits: Splits, calendar: str, where: str
) -> tuple[list[Finding], Mapping[str, Leak]]:
    """Findings and shares of evaluation events that meet training events, by split."""
    overlaps = overlapping(events)
    middle = events.start + events.seconds // 2
    member = {
        name: _inside(middle, splits, name, calendar) for name in ("train", "validation", "test")
    }
    leaks = {name: leak(overlaps, member["train"], member[name]) for name in ("validation", "test")}
    findings = [
        Finding(
            "error",
            "REG-438",
            where,
            f"{found.touched} of {found.test} {name} events ({found.touched_share:.1%}) overlap a "
            f"training event in space and time, {found.heavy} of them by more than a quarter",
            "split by date, with a buffer of at least the length of an event",
        )
        for name, found in leaks.items()
        if found.touched
    ]
    return [*findings, _shares(random_split(overlaps, len(events)), leaks, where)], leaks


def _shares(at_random: Leak, leaks: Mapping[str, Leak], where: str) -> Finding:
    """The shares by the declared dates beside those of a split at random."""
    shown = "; ".join(
        f"{name}, as declared: {found.touched_share:.1%} overlap a training event, "
        f"{found.heavy_share:.1%} by more than a quarter"
        for name, found in leaks.items()
    )
    return Finding(
        "info",
        "REG-438",
        where,
        f"{shown}; a fifth at random would be {at_random.touched_share:.1%} and "
        f"{at_random.heavy_share:.1%}",
        "keep splits by date",
    )


def window_findings(
    windows: Windows, splits: Splits, calendar: str, history: tuple[int, ...], where: str
) -> list[Finding]:
    """A finding where windows have times in more than one split, or in a buffer."""
    offsets = np.asarray(history, np.int64)
    times = np.concatenate(
        [windows.init[:, None] + offsets, windows.init[:, None] + windows.leads], axis=1
    )
    inside = np.zeros(len(windows), bool)
    for name in ("train", "validation", "test"):
        for start, end in period_seconds(splits.periods(name), calendar):
            inside |= ((times >= start) & (times < end)).all(axis=1)
    crossing = int((~inside).sum())
    if not crossing:
        return []
    return [
        Finding(
            "error",
            "REG-438",
            where,
            f"{crossing} of {len(windows)} windows cross the border of a split",
            "enumerate windows with the periods of one split",
        )
    ]


def _inside(
    seconds: NDArray[np.int64], splits: Splits, name: str, calendar: str
) -> NDArray[np.bool_]:
    found = np.zeros(len(seconds), bool)
    for start, end in period_seconds(splits.periods(name), calendar):
        found |= (seconds >= start) & (seconds < end)
    return found
