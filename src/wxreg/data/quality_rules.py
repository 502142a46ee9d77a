"""What the catalog knows of a dataset's faults, said of the stores that they touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from wxreg.data.clock import moments_of
from wxreg.data.stores import open_store
from wxreg.findings import Finding, Severity
from wxreg.specs.dataset import QualityRule

_SEVERITIES: Final[dict[str, Severity]] = {
    "refuse": "error",
    "mask": "info",
    "warn": "warning",
    "convert": "info",
}
_REMEDIES: Final = {
    "refuse": "leave the variable out",
    "mask": "they are missing in the store; masks carry them through training and scores",
    "warn": "keep it in mind where results are shown",
    "convert": "the catalog takes care of it: its selectors, units and sentinels",
}


def rule_findings(path: Path, rules: Sequence[QualityRule]) -> list[Finding]:
    """A finding for each declared fault of a variable and time that the store at ``path`` has."""
    opened = open_store(path)
    moments = moments_of(opened["time"].values) if "time" in opened.coords else []
    span = (min(moments), max(moments)) if moments else None
    held = set(map(str, opened.data_vars))
    return [
        finding
        for rule in rules
        for name in rule.variables
        if name in held
        for finding in _found(rule, f"{path}: {name}", span)
    ]


def _found(rule: QualityRule, where: str, span: tuple[str, str] | None) -> Iterator[Finding]:
    period = rule.period
    if period is not None and (span is None or span[1] < period.start or span[0] >= period.end):
        return
    if rule.rule == "regime-change":
        yield from _regimes(rule, where, span)
        return
    when = f" ({period})" if period else ""
    yield Finding(
        _SEVERITIES[rule.action], "REG-430", where, f"{rule.what}{when}", _REMEDIES[rule.action]
    )


def _regimes(rule: QualityRule, where: str, span: tuple[str, str] | None) -> Iterator[Finding]:
    """A change of regime matters to a store that holds both sides of it."""
    borders = (rule.period.start, rule.period.end) if rule.period and span else ()
    inside = [border for border in borders if span and span[0] < border <= span[1]]
    if inside:
        yield Finding(
            "warning",
            "REG-430",
            where,
            f"two regimes lie in one store, with the border at {', '.join(inside)}: {rule.what}",
            "prepare and train each side by itself, or leave the variable out",
        )
