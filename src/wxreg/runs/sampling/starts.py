"""Which initial times a sample plan means, on the store that it reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wxreg.data.batches import BatchSource
from wxreg.data.windows import Start, moment_seconds, period_seconds
from wxreg.errors import Incompatible
from wxreg.specs.plan import SamplePlan


def chosen_windows(
    source: BatchSource, plan: SamplePlan, cases: Sequence[Start] | None
) -> NDArray[np.int64]:
    """The windows of the source to forecast, in order; ``cases`` take the place of the starts."""
    starts, inits = plan.starts, source.windows.init
    if cases is not None:
        wanted = frozenset(cases)
        keep = np.array([start in wanted for start in source.windows.starts], bool)
    elif starts.times:
        keep = _at_times(plan, inits)
    else:
        keep = _verifiable(plan, inits)
    if starts.every is not None:
        keep &= inits % starts.every.seconds == 0
    chosen = np.flatnonzero(keep)
    if starts.limit is not None and len(chosen) > starts.limit:
        spread = np.linspace(0, len(chosen) - 1, starts.limit).round().astype(np.int64)
        chosen = chosen[np.unique(spread)]
    if not len(chosen):
        raise Incompatible(
            "REG-461",
            "no initial time is left: none in the asked range has all the inputs it needs",
            hint=f"ask for other times{_or_fill(plan)}",
        )
    return chosen


def _verifiable(plan: SamplePlan, inits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether every lead of a forecast still lies in its period, so that it can be scored."""
    periods = period_seconds(plan.starts.periods, plan.inputs.calendar)
    if not periods:
        return np.ones(len(inits), bool)
    last = inits + max(lead.seconds for lead in plan.leads)
    inside = [(inits >= start) & (last < end) for start, end in periods]
    return np.asarray(np.logical_or.reduce(inside), bool)


def _at_times(plan: SamplePlan, inits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The windows at the asked times; where events overlap, those of every event."""
    wanted = {time: moment_seconds(time, plan.inputs.calendar) for time in plan.starts.times}
    have = set(inits.tolist())
    missing = [time for time, seconds in wanted.items() if seconds not in have]
    if missing:
        raise Incompatible(
            "REG-461",
            f"no forecast can start at {', '.join(missing)}: the inputs are missing there",
            hint="ask for times whose inputs are there (`reg data check` names the missing ones)"
            + _or_fill(plan),
        )
    return np.isin(inits, list(wanted.values()))


def _or_fill(plan: SamplePlan) -> str:
    if plan.sampling.missing != "refuse":
        return ""
    return ", or fill short gaps: --set sampling.missing=previous"
