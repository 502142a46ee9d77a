"""Values that a rule of the catalog takes for missing: those outside what it calls valid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.clock import moments_of
from wxreg.specs.dataset import QualityRule
from wxreg.specs.variables import Variable

_KINDS: Final = ("range", "bad-at-f00")


@dataclass(frozen=True)
class RangeMask:
    """The values of one variable that stay; all others become missing."""

    variable: str
    valid: tuple[float | None, float | None]
    period: tuple[str, str] | None = None
    """The times of which this holds; none for all."""

    def body(self) -> dict[str, Any]:
        """Its plain form, for identity."""
        return asdict(self)


def masks_of(
    rules: Sequence[QualityRule], lexicon: Mapping[str, Variable], names: Sequence[str]
) -> tuple[RangeMask, ...]:
    """What the rules mask of those variables; a variable's own range where a rule names none."""
    return tuple(
        RangeMask(
            name,
            rule.valid or lexicon[name].range,
            (rule.period.start, rule.period.end) if rule.period else None,
        )
        for rule in rules
        if rule.action == "mask" and rule.rule in _KINDS
        for name in rule.variables
        if name in names
    )


def masked(source: xr.Dataset, masks: Sequence[RangeMask]) -> xr.Dataset:
    """The same lazy dataset without the values that are not valid."""
    made = source
    for mask in masks:
        if mask.variable in made.data_vars:
            made = made.assign({mask.variable: _changed(made, mask, _without)})
    return made


def count_masked(source: xr.Dataset, masks: Sequence[RangeMask]) -> dict[str, int]:
    """How many values of an unmasked source each variable loses."""
    found: dict[str, int] = {}
    for mask in masks:
        if mask.variable in source.data_vars:
            counted = _changed(source, mask, _outside).sum().compute(scheduler="synchronous")
            found[mask.variable] = found.get(mask.variable, 0) + int(counted)
    return found


def _changed(
    source: xr.Dataset, mask: RangeMask, change: Callable[..., NDArray[Any]]
) -> xr.DataArray:
    """A variable with ``change`` made of its values at the times of the mask."""
    low, high = (np.nan if bound is None else np.float32(bound) for bound in mask.valid)
    values = source[mask.variable]
    made = values.copy(data=values.data.map_blocks(partial(change, low=low, high=high)))
    if mask.period is None or "time" not in values.dims:
        return made
    start, end = mask.period
    inside = [start <= moment < end for moment in moments_of(source["time"].values)]
    rest = values if change is _without else xr.zeros_like(made)
    return made.where(xr.DataArray(np.array(inside), dims="time"), rest)


def _outside(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.int64]:
    return ((values < low) | (values > high)).astype(np.int64)


def _without(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    return np.where((values < low) | (values > high), np.float32(np.nan), values)
