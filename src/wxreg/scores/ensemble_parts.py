"""The parts that an ensemble pass fills, whichever engine makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.states import State

SUMS = (
    "weight",
    "crps_ensemble",
    "member_abs_error",
    "error",
    "abs_error",
    "square_error",
    "fair_weight",
    "crps",
    "fair_square_error",
    "variance",
    "inflated_variance",
)
"""Weighted sums over points, in the order of the kernel's columns.  `error` and its kin are
of the ensemble mean; `variance` divides by m-1; `inflated_variance` is times (m+1)/m."""

NUMBERS = ("count", "member_count")


@dataclass(frozen=True)
class EnsembleParts:
    """The arrays that a pass fills; `maps` rows are mean, spread, exceedance per threshold."""

    sums: NDArray[np.float64]
    numbers: NDArray[np.int64]
    ranks: NDArray[np.float64]
    tables: NDArray[np.int64]
    weighted: NDArray[np.float64]

    @classmethod
    def zero(cls, bins: int, members: int, thresholds: int) -> EnsembleParts:
        """Nothing counted yet."""
        table = (bins, thresholds, members + 1, 2)
        return cls(
            np.zeros((bins, len(SUMS))),
            np.zeros((bins, len(NUMBERS)), np.int64),
            np.zeros((bins, members + 1)),
            np.zeros(table, np.int64),
            np.zeros(table),
        )

    def add(self, other: EnsembleParts) -> None:
        """Add another part in place."""
        for name in self.__dataclass_fields__:
            mine: NDArray[Any] = getattr(self, name)
            mine += getattr(other, name)

    def state(self, unit_weights: bool) -> State:
        """The frozen state; with unit weights the weighted table is the count table."""
        arrays: dict[str, Any] = {name: self.sums[:, i] for i, name in enumerate(SUMS)}
        arrays |= {name: self.numbers[:, i] for i, name in enumerate(NUMBERS)}
        arrays["ranks"] = self.ranks
        arrays["table"] = self.tables
        arrays["weighted_table"] = self.tables.astype(float) if unit_weights else self.weighted
        return State(arrays)
