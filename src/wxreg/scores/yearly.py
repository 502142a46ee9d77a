"""Wet days, heavy rain, the greatest day and trends of two periods that need not match.

Forecast and truth are summed apart, year by year, so that no day is paired with another.
The state of a year is merged from its days; `closed_year` makes it a state of years, which
then merges over years.  Quantities are climdex's: R95p is the rain of a year that falls on
days above the 95th percentile of wet days of the training period, RX1day its greatest day.
A year with missing days counts with the days it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.climate import RainClimate, Trend
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
SIDES: Final = ("forecast", "truth")
_YEARS_PER_DECADE: Final = 10


@dataclass(frozen=True)
class YearOfDays:
    """The days of one year; every member is a year of its own."""

    members: int
    shape: tuple[int, ...]
    wet: float = 1.0
    ninety_fifth: Floats | None = None

    def update(self, forecast: Field | None, truth: Field | None) -> State:
        """The state of one day; either side may be absent."""
        blank = np.full(self.shape, np.nan)
        made = np.repeat(blank[None], self.members, 0) if forecast is None else forecast
        real = blank if truth is None else truth
        arrays: dict[str, Any] = {}
        for side, day in zip(SIDES, (made, real[None]), strict=True):
            state = RainClimate(self.wet).update(day, self.ninety_fifth)
            arrays |= {f"{side}_{name}": values for name, values in state.arrays.items()}
            arrays[f"{side}_sum"] = np.nan_to_num(np.asarray(day, float))
        return State(arrays, frozenset({"forecast_rx1day", "truth_rx1day"}))


def closed_year(state: State, year: int) -> State:
    """The sums over years that one whole year adds; a point without a day adds none."""
    arrays: dict[str, Any] = {}
    for side in SIDES:
        days = np.asarray(state[f"{side}_days"], float)
        seen = days > 0
        greatest = np.where(seen, state[f"{side}_rx1day"], 0)
        yearly = {
            "years": seen,
            "days": days,
            "wet_day_frequency": np.nan_to_num(ratio(state[f"{side}_wet_days"], days)),
            "r95p": state[f"{side}_r95p"],
            "rx1day": greatest,
        }
        mean = ratio(state[f"{side}_sum"], days)
        trends = [Trend().update(float(year), member).arrays for member in mean]
        yearly |= {
            f"trend_{name}": np.sum([one[name] for one in trends], axis=0) for name in trends[0]
        }
        for name, values in yearly.items():
            summed = values if name.startswith("trend_") else np.asarray(values, float).sum(0)
            arrays[f"{side}_{name}"] = np.asarray(summed, float)
    return State(arrays)


def climate_value(state: State, quantity: str, side: str = "forecast") -> Floats:
    """Mean over points of a quantity of one side; a point without a year is left out."""
    if quantity == "trend":
        names = ("n", "t", "y", "tt", "ty")
        sums = State({name: state[f"{side}_trend_{name}"] for name in names})
        values = Trend().slope(sums) * _YEARS_PER_DECADE
    else:
        values = ratio(state[f"{side}_{quantity}"], state[f"{side}_years"])
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum((-2, -1)), known.sum((-2, -1)))


def climate_error(state: State, quantity: str) -> Floats:
    """Forecast less observed."""
    return climate_value(state, quantity) - climate_value(state, quantity, "truth")
