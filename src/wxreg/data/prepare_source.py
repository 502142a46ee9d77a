"""The source of a preparation, opened: in order, with what is derived, at the wanted times."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from wxreg.data.clock import moment_keys, moments_of
from wxreg.data.deriving import derive
from wxreg.data.masking import count_masked, masked
from wxreg.data.prepare_plan import PreparePlan
from wxreg.data.reading import open_source
from wxreg.data.stores import encode_times
from wxreg.errors import Incompatible, IntegrityError
from wxreg.leadtime import Duration


def open_checked(plan: PreparePlan) -> xr.Dataset:
    """The variables of a plan, lazily; times that repeat or run backwards are refused."""
    read = masked(open_source(plan.request), plan.masks)
    _check_times(read, plan.request.location)
    made = derive(read, plan.request, plan.variables) if plan.variables else read
    return _thinned(made, plan.every)


def masked_values(plan: PreparePlan) -> dict[str, int]:
    """How many values of the source each mask of a plan takes away; reads these variables."""
    return count_masked(open_source(plan.request), plan.masks) if plan.masks else {}


def seconds_of(source: xr.Dataset) -> Any:
    """Seconds of the time axis; none without one."""
    if "time" not in source.coords:
        return np.empty(0, np.int64)
    return encode_times(source["time"].values)[0]


def _thinned(source: xr.Dataset, every: Duration | None) -> xr.Dataset:
    """The times that are whole multiples of ``every`` since midnight."""
    if every is None:
        return source
    kept = source.isel(time=np.flatnonzero(seconds_of(source) % every.seconds == 0))
    if not kept.sizes["time"]:
        raise Incompatible("REG-433", f"no time of the source is a whole multiple of {every}")
    gone = set(moment_keys(source)) - set(moment_keys(kept))
    fields = source.attrs.get("missing_fields", {})
    return kept.assign_attrs(
        missing_times=[one for one in source.attrs["missing_times"] if one not in gone],
        missing_fields={
            name: [one for one in moments if one not in gone] for name, moments in fields.items()
        },
    )


def _check_times(source: xr.Dataset, where: str) -> None:
    """Refuse times that do not grow within each segment, or come twice."""
    seconds = seconds_of(source)
    steps = np.diff(seconds)
    if "segment" in source.coords:
        steps = steps[np.diff(source["segment"].values) == 0]
    if (steps <= 0).any():
        at = int(np.flatnonzero(np.diff(seconds) <= 0)[0])
        what = "twice" if seconds[at] == seconds[at + 1] else "out of order"
        moment = moments_of(source["time"].values[at + 1 : at + 2])[0]
        raise IntegrityError("REG-531", f"the time {moment} comes {what}", where=where)
