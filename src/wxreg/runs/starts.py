"""Which initial times a sample plan means, on the store that it reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wxreg.data.batches import BatchSource
from wxreg.data.windows import moment_seconds, period_seconds
from wxreg.errors import Incompatible
from wxreg.specs.plan import SamplePlan, Starts


def chosen_windows(
    source: BatchSource, plan: SamplePlan, cases: Sequence[int] | None
) -> NDArray[np.int64]:
    """The windows of the source to forecast, in order; ``cases`` are seconds since 1970."""
    starts, inits = plan.starts, source.windows.init
    if cases is not None:
        keep = np.isin(inits, np.asarray(cases, np.int64))
    elif starts.times:
        keep = _at_times(starts, inits, plan.inputs.calendar)
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
            hint="ask for other times",
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


def _at_times(starts: Starts, inits: NDArray[np.int64], calendar: str) -> NDArray[np.bool_]:
    wanted = {time: moment_seconds(time, calendar) for time in starts.times}
    have = set(inits.tolist())
    missing = [time for time, seconds in wanted.items() if seconds not in have]
    if missing:
        raise Incompatible(
            "REG-461",
            f"no forecast can start at {', '.join(missing)}: the inputs are missing there",
            hint="ask for times whose inputs are there; `reg data check` names the missing ones",
        )
    return np.isin(inits, list(wanted.values()))
