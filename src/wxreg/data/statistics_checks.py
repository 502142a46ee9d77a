"""Whether statistics are what they claim: their claims compared, and some channels recounted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wxreg.data.statistics import StatisticsPlan, compute
from wxreg.findings import Finding
from wxreg.specs.statistics import ChannelStatistics, Statistics
from wxreg.specs.timeaxis import Period

TOLERANCE: Final = 1e-6
_SKETCH_TOLERANCE: Final = 2e-5
"""Sketches are made in one order; only the last printed digit may differ."""


def verify(known: Statistics, plan: StatisticsPlan, sample: int = 3) -> list[Finding]:
    """Whether ``known`` is what the plan gives: its claims, and a recount of some channels."""
    where = f"statistics {known.id}"
    findings = [
        Finding("error", "REG-430", where, what, "compute them again: `reg stats compute`")
        for what in _unlike_claims(known, plan)
    ]
    if findings:
        return findings
    names = list(dict.fromkeys(name.partition("@")[0] for name in known.channels))
    every = max(1, len(names) // max(sample, 1))
    chosen = set(names[::every][:sample])
    variables = tuple(v for v in plan.variables if v.id in chosen)
    again = compute(replace(plan, variables=variables))
    return [
        Finding("error", "REG-500", f"{where}: {channel}", what, "do not use these statistics")
        for channel, recounted in again.channels.items()
        for what in _unlike_numbers(known.channels[channel], recounted)
    ]


def _unlike_claims(known: Statistics, plan: StatisticsPlan) -> Iterator[str]:
    if (known.dataset, known.source_digest) != (plan.dataset, plan.source_digest):
        yield f"they are of {known.dataset}, not of {plan.dataset} as it is pinned"
    if known.window != plan.splits.train:
        yield f"they cover {_shown(known.window)}, not {_shown(plan.splits.train)}"
    transforms = {v.id: v.transform for v in plan.variables}
    for channel, numbers in known.channels.items():
        expected = transforms.get(channel.partition("@")[0], numbers.transform)
        if numbers.transform != expected:
            yield f"{channel} was counted after {numbers.transform}, not {expected}"
        for step in plan.steps:
            if numbers.tendencies and str(step) not in numbers.tendencies:
                yield f"{channel} has no tendencies over {step}"


def _shown(window: tuple[Period, ...]) -> str:
    return ", ".join(map(str, window))


def _unlike_numbers(known: ChannelStatistics, again: ChannelStatistics) -> Iterator[str]:
    pairs = [("", known.values, again.values)]
    pairs += [
        (f"tendency over {step}: ", known.tendencies[step], moments)
        for step, moments in again.tendencies.items()
        if step in known.tendencies
    ]
    for label, one, two in pairs:
        if one.count != two.count:
            yield f"{label}count {one.count}, recounted {two.count}"
        for name in ("mean", "std", "minimum", "maximum"):
            a, b = getattr(one, name), getattr(two, name)
            if abs(a - b) > TOLERANCE * max(abs(b), two.std):
                yield f"{label}{name} {a:.9g}, recounted {b:.9g}"
    for probability in known.quantiles.keys() & again.quantiles.keys():
        a, b = known.quantiles[probability], again.quantiles[probability]
        if abs(a - b) > _SKETCH_TOLERANCE * abs(b):
            yield f"quantile {probability} {a:g}, estimated again {b:g}"
