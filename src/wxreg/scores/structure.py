"""Gradient and structure statistics: is a forecast as sharp as the truth?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Structure:
    """Mean gradient size, and structure functions E|f(x+r) - f(x)|^2 at lags in points."""

    dy: float
    dx: float
    lags: tuple[int, ...] = (1, 2, 4, 8, 16)

    def update(self, forecast: Field, truth: Field) -> State:
        """Sums of one pair; a point missing in either field is missing in both."""
        present = np.isfinite(forecast) & np.isfinite(truth)
        arrays: dict[str, Any] = {}
        for name, field in (("forecast", forecast), ("truth", truth)):
            values = np.where(present, field, np.nan).astype(float)
            gradient, count = self._gradient(values)
            lagged = np.array([_lag_sum(values, lag) for lag in self.lags])
            arrays[f"{name}_gradient"] = np.array(gradient, float)
            arrays[f"{name}_structure"] = lagged[:, 0]
        arrays["count"] = np.array(count, np.int64)
        arrays["lag_count"] = lagged[:, 1].astype(np.int64)
        return State(arrays)

    def _gradient(self, values: Field) -> tuple[float, int]:
        down = (values[1:, :-1] - values[:-1, :-1]) / self.dy
        across = (values[:-1, 1:] - values[:-1, :-1]) / self.dx
        size = np.hypot(down, across)
        return float(np.nansum(size)), int(np.isfinite(size).sum())


def _lag_sum(values: Field, lag: int) -> tuple[float, int]:
    steps = [values[lag:] - values[:-lag], values[:, lag:] - values[:, :-lag]]
    return (
        float(sum(np.nansum(step**2) for step in steps)),
        int(sum(np.isfinite(step).sum() for step in steps)),
    )


def gradient_ratio(state: State) -> NDArray[np.float64]:
    """Forecast over observed mean gradient: below 1 is too smooth; NaN for a flat truth."""
    return ratio(state["forecast_gradient"], state["truth_gradient"])


def structure_ratio(state: State) -> NDArray[np.float64]:
    """Forecast over observed structure function, per lag."""
    return ratio(state["forecast_structure"], state["truth_structure"])
