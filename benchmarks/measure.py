"""What every benchmark script shares: two ways of one job, measured side by side, one figure.

A script has ``main() -> list[Figure]`` and ends with::

    if __name__ == "__main__":
        report(main())
"""

from __future__ import annotations

import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Clock = Literal["cpu", "wall"]
_LINE = re.compile(r"^(?P<name>\S+) (?P<ratio>[\d.]+) (?P<budget>[\d.]+) (?P<verdict>ok|over)\b")


@dataclass(frozen=True)
class Figure:
    """One measured claim: ``ratio`` is ours against the other, ``budget`` its limit.

    A budget is a ceiling; with ``at_least`` it is a floor (a speed-up, say).
    """

    name: str
    ratio: float
    budget: float
    ours: float
    other: float
    unit: str = "s"
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the budget holds."""
        return self.ratio >= self.budget if self.at_least else self.ratio <= self.budget

    def line(self) -> str:
        """The line that people and ``benchmarks/run.py`` read."""
        verdict = "ok" if self.ok else "over"
        absolute = f"(ours {self.ours:.4g} {self.unit}, other {self.other:.4g} {self.unit})"
        return f"{self.name} {self.ratio:.3f} {self.budget:g} {verdict}  {absolute}"


@dataclass(frozen=True)
class Pair:
    """Side-by-side times: the median of the pairwise ratios, and the median of each side."""

    ratio: float
    ours: float
    other: float

    def figure(self, name: str, budget: float) -> Figure:
        """These times as a claim that ours takes at most ``budget`` times the other."""
        return Figure(name, self.ratio, budget, self.ours, self.other)


def paired(
    ours: Callable[[], object],
    other: Callable[[], object],
    repeats: int = 7,
    clock: Clock = "wall",
) -> Pair:
    """Run both in turn, ``repeats`` times after one warm-up each, changing who goes first.

    The ``cpu`` clock counts this process and its finished child processes.
    """
    ours()
    other()
    times: list[tuple[float, float]] = []
    for turn in range(repeats):
        if turn % 2:
            late = seconds(other, clock)
            times.append((seconds(ours, clock), late))
        else:
            times.append((seconds(ours, clock), seconds(other, clock)))
    return Pair(
        ratio=statistics.median(mine / theirs for mine, theirs in times),
        ours=statistics.median(mine for mine, _ in times),
        other=statistics.median(theirs for _, theirs in times),
    )


def seconds(job: Callable[[], object], clock: Clock = "wall") -> float:
    """How long one call takes."""
    now = _cpu if clock == "cpu" else time.perf_counter
    start = now()
    job()
    return now() - start


def report(figures: Iterable[Figure]) -> None:
    """Print one line a figure."""
    for figure in figures:
        print(figure.line(), flush=True)


def parse(line: str) -> dict[str, object] | None:
    """The row of ``results.json`` for a printed line, or None for any other line."""
    found = _LINE.match(line)
    if found is None:
        return None
    return {
        "name": found["name"],
        "ratio": float(found["ratio"]),
        "budget": float(found["budget"]),
        "ok": found["verdict"] == "ok",
    }


def _cpu() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in spent)


if __name__ == "__main__":
    sys.exit("this file measures nothing by itself; run benchmarks/run.py")
