"""Physical constraints: named, testable, each with a tolerance; the score is how often broken.

A point with a missing value cannot break a constraint and is not counted.  No point tested:
the rate is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import NotFound
from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Rule = Callable[..., NDArray[Any]]


@dataclass(frozen=True)
class Constraint:
    """`excess(*fields)` is how far a point lies beyond the bound; broken if > tolerance."""

    id: str
    title: str
    variables: tuple[str, ...]
    excess: Rule
    tolerance: float

    def update(self, fields: Mapping[str, Field]) -> State:
        """Points tested, points broken, whether any was broken in this sample, worst excess."""
        lacking = [name for name in self.variables if name not in fields]
        if lacking:
            raise NotFound("REG-302", f"constraint {self.id} needs {', '.join(lacking)}")
        excess = np.asarray(self.excess(*(fields[name] for name in self.variables)), float)
        tested = np.isfinite(excess)
        broken = int((excess[tested] > self.tolerance).sum())
        return State(
            {
                "tested": np.array(tested.sum(), np.int64),
                "broken": np.array(broken, np.int64),
                "samples": np.array(int(tested.any()), np.int64),
                "broken_samples": np.array(int(broken > 0), np.int64),
                "worst": np.array(excess[tested].max(initial=-np.inf), float),
            },
            maxima=frozenset({"worst"}),
        )


def violation_rate(state: State) -> Floats:
    """Share of tested points that break the constraint."""
    return ratio(state["broken"], state["tested"])


def sample_violation_rate(state: State) -> Floats:
    """Share of samples with at least one broken point."""
    return ratio(state["broken_samples"], state["samples"])


def not_negative(variable: str, tolerance: float = 0.0) -> Constraint:
    """Rain, humidity and the like are not below zero."""
    return Constraint(
        f"{variable}_not_negative", f"{variable} below zero", (variable,), np.negative, tolerance
    )


def at_most(lower: str, upper: str, tolerance: float = 0.0) -> Constraint:
    """`lower` never exceeds `upper`: dewpoint and temperature, tmin and tmax."""
    return Constraint(
        f"{lower}_at_most_{upper}", f"{lower} above {upper}", (lower, upper), np.subtract, tolerance
    )


def within(variable: str, low: float, high: float, tolerance: float = 0.0) -> Constraint:
    """Bounds, such as relative humidity in 0..100."""

    def excess(values: Field) -> NDArray[Any]:
        return np.asarray(np.maximum(low - values, values - high))

    return Constraint(f"{variable}_within", f"{variable} outside {low:g}..{high:g}", (variable,),
                      excess, tolerance)  # fmt: skip


def conserves_blocks(
    fine: str, coarse: str, relative: float = 0.0, tolerance: float = 0.0
) -> Constraint:
    """Block means of the fine field equal the coarse input, to tolerance + relative * |coarse|."""

    def excess(high: Field, low: Field) -> NDArray[Any]:
        by, bx = high.shape[-2] // low.shape[-2], high.shape[-1] // low.shape[-1]
        shape = (*low.shape[:-2], low.shape[-2], by, low.shape[-1], bx)
        means = np.asarray(high, float).reshape(shape).mean((-3, -1))
        return np.asarray(np.abs(means - low) - relative * np.abs(low))

    return Constraint(f"{fine}_conserves_{coarse}", f"block means of {fine} off {coarse}",
                      (fine, coarse), excess, tolerance)  # fmt: skip


def clausius_clapeyron(
    rain: str, temperature: str, at_zero: float, per_degree: float = 0.07, tolerance: float = 0.0
) -> Constraint:
    """Heavy rain stays below `at_zero * (1 + per_degree)^(T - 273.15)`, temperature in kelvin."""

    def excess(rate: Field, kelvin: Field) -> NDArray[Any]:
        warmth = np.asarray(kelvin, float) - 273.15
        return np.asarray(rate - at_zero * (1 + per_degree) ** warmth)

    return Constraint(f"{rain}_clausius_clapeyron", f"{rain} beyond the rate bound",
                      (rain, temperature), excess, tolerance)  # fmt: skip
