"""Climate statistics of daily fields, with no pairing of days (climdex definitions).

A wet day has at least `wet` (1 mm).  R95p is the rain of days above the 95th percentile of
wet days *of the training period*, which the caller gives per point.  Distributions are kept
as histograms on declared edges, so states merge; quantiles and distances are then right to a
bin's width.  Values beyond the edges count in the outermost bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RainClimate:
    """Per-point sums over the days of one year: wet days, heavy rain, greatest day."""

    wet: float = 1.0

    def update(self, day: Field, ninety_fifth: Field | None = None) -> State:
        """The state of one day; merge over the days of a year."""
        present = np.isfinite(day)
        rain = np.where(present, day, 0).astype(float)
        heavy = np.zeros(rain.shape) if ninety_fifth is None else rain * (rain > ninety_fifth)
        return State(
            {
                "days": present.astype(np.int64),
                "wet_days": (present & (rain >= self.wet)).astype(np.int64),
                "wet_rain": rain * (rain >= self.wet),
                "r95p": heavy,
                "rx1day": np.where(present, rain, -np.inf),
            },
            maxima=frozenset({"rx1day"}),
        )


def wet_day_frequency(state: State) -> Floats:
    """Share of days that are wet, per point; NaN without a day."""
    return ratio(state["wet_days"], state["days"])


def rx1day(state: State) -> Floats:
    """Greatest daily rain per point; NaN without a day."""
    return np.asarray(np.where(np.isinf(state["rx1day"]), np.nan, state["rx1day"]), float)


@dataclass(frozen=True)
class Distribution:
    """A histogram of every value of a field."""

    edges: tuple[float, ...]

    def update(self, field: Field) -> State:
        """Counts per bin of one field; missing values are left out."""
        values = np.clip(field[np.isfinite(field)], self.edges[0], self.edges[-1])
        counts, _ = np.histogram(values, self.edges)
        return State({"counts": counts.astype(np.int64)})

    def cdf(self, state: State) -> Floats:
        """Cumulative share at each edge; NaN for an empty state."""
        steps = np.concatenate([[0], np.cumsum(state["counts"])])
        return ratio(steps, steps[-1])

    def quantiles(self, state: State, levels: Floats) -> Floats:
        """Values at the levels, linear within a bin."""
        cdf = self.cdf(state)
        if np.isnan(cdf).any():
            return np.full(len(levels), np.nan)
        return np.asarray(np.interp(levels, cdf, self.edges), float)

    def quantile_distance(self, first: State, second: State, levels: Floats) -> float:
        """Mean absolute difference of quantiles at the levels."""
        gap = self.quantiles(first, levels) - self.quantiles(second, levels)
        return float(np.abs(gap).mean())

    def quantile_bias(self, forecast: State, truth: State, level: float) -> float:
        """Forecast less observed quantile."""
        at = np.array([level])
        return float((self.quantiles(forecast, at) - self.quantiles(truth, at))[0])

    def wasserstein(self, first: State, second: State) -> float:
        """Area between the cumulative curves."""
        gap = np.abs(self._gap(first, second))
        return float((gap * np.diff(self.edges)).sum())

    def energy_distance(self, first: State, second: State) -> float:
        """Root of twice the integrated squared gap, as SciPy defines it."""
        return float(np.sqrt(2 * (self._gap(first, second) ** 2 * np.diff(self.edges)).sum()))

    def _gap(self, first: State, second: State) -> Floats:
        gap = self.cdf(first) - self.cdf(second)
        return (gap[:-1] + gap[1:]) / 2


@dataclass(frozen=True)
class Trend:
    """Least-squares slope per point; `origin` keeps the time numbers small."""

    origin: float = 0.0

    def update(self, time: float, field: Field) -> State:
        """Sums of one time (say, a year) and its field."""
        present = np.isfinite(field)
        t = (time - self.origin) * present
        y = np.where(present, field, 0).astype(float)
        return State({"n": present.astype(np.int64), "t": t, "y": y, "tt": t * t, "ty": t * y})

    def slope(self, state: State) -> Floats:
        """Change per unit of time; NaN for fewer than two different times."""
        n = np.asarray(state["n"], float)
        top = n * state["ty"] - state["t"] * state["y"]
        bottom = n * state["tt"] - state["t"] ** 2
        return ratio(top, np.where(bottom <= 1e-12 * n * state["tt"], 0, bottom))
