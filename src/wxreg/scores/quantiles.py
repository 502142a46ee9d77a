"""Quantiles: the loss of a forecast quantile, and distributions compared without any pairing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.climate import Distribution
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


def member_quantiles(forecast: Field, levels: tuple[float, ...]) -> Floats:
    """Quantiles over the members present at each point, linear between them; NaN for none."""
    ordered = np.sort(np.where(np.isfinite(forecast), forecast, np.nan).astype(float), axis=0)
    size = np.isfinite(ordered).sum(0)
    found = np.empty((len(levels), *ordered.shape[1:]))
    for number, level in enumerate(levels):
        place = np.maximum(size - 1, 0) * level
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, np.maximum(size - 1, 0))
        below, above = (np.take_along_axis(ordered, at[None], 0)[0] for at in (low, high))
        found[number] = below + (above - below) * (place - low)
    return found


@dataclass(frozen=True)
class QuantileLoss:
    """Pinball loss of the members' quantiles (of one member: the forecast itself) per level.

    A point without an observation or without any member is left out.
    """

    levels: tuple[float, ...]

    def update(self, forecast: Field, truth: Field, weights: Floats | None = None) -> State:
        """The state of one field: `forecast` is (members, y, x) or (y, x)."""
        members = forecast if forecast.ndim == truth.ndim + 1 else forecast[None]
        made = member_quantiles(members, self.levels)
        keep = np.isfinite(made[0]) & np.isfinite(truth)
        weight = np.ones(int(keep.sum())) if weights is None else weights[keep]
        gap = truth[keep].astype(float) - made[:, keep]
        level = np.array(self.levels)[:, None]
        loss = np.where(gap >= 0, level * gap, (level - 1) * gap)
        return State(
            {
                "loss": np.asarray((loss * weight).sum(-1), float),
                "below": (gap <= 0).sum(-1).astype(np.int64),
                "weight": np.array(weight.sum(), float),
                "count": np.array(keep.sum(), np.int64),
            }
        )


@dataclass(frozen=True)
class PairedDistribution:
    """Histograms of every forecast and every observed value, on one set of edges.

    Either side may be given alone, so that periods need not match.  With both, a point
    missing in one is left out of both.
    """

    edges: tuple[float, ...]

    def update(
        self, forecast: Field | None, truth: Field | None, weights: Floats | None = None
    ) -> State:
        """Counts per bin of each side; all members count alike.  Weights are not used."""
        if forecast is not None and truth is not None:
            truth = np.where(np.isfinite(forecast).any(0), truth, np.nan)
            forecast = np.where(np.isfinite(truth), forecast, np.nan)
        histogram = Distribution(self.edges)
        nothing = np.zeros(len(self.edges) - 1, np.int64)
        sides = [
            nothing if field is None else histogram.update(field)["counts"]
            for field in (forecast, truth)
        ]
        return State({"forecast": sides[0], "truth": sides[1], "count": sides[1].sum()})

    def both(self, state: State) -> tuple[State, State]:
        """The two histograms as states of `Distribution`."""
        forecast, truth = (np.asarray(state[side], float) for side in ("forecast", "truth"))
        return State({"counts": forecast}), State({"counts": truth})

    def quantile_bias(self, state: State, levels: tuple[float, ...]) -> Floats:
        """Forecast less observed quantile at each level."""
        histogram, (forecast, truth) = Distribution(self.edges), self.both(state)
        each = [histogram.quantile_bias(forecast, truth, level) for level in levels]
        return np.array(each)

    def quantile_distance(self, state: State) -> float:
        """Mean absolute difference of the quantiles at 0.01, 0.02 … 0.99."""
        levels = np.linspace(0.01, 0.99, 99)
        return Distribution(self.edges).quantile_distance(*self.both(state), levels)

    def wasserstein(self, state: State) -> float:
        """Area between the cumulative curves."""
        return Distribution(self.edges).wasserstein(*self.both(state))

    def energy_distance(self, state: State) -> float:
        """Root of twice the integrated squared gap between the cumulative curves."""
        return Distribution(self.edges).energy_distance(*self.both(state))
