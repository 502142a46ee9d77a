"""Quantile loss and quantile bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class QuantileLoss:
    """Pinball loss of one field taken as the `level` quantile; also how often truth is below."""

    level: float

    def update(self, forecast: Field, truth: Field) -> State:
        """The state of one pair; points missing in either are left out."""
        keep = np.isfinite(forecast) & np.isfinite(truth)
        gap = truth[keep].astype(float) - forecast[keep]
        loss = np.where(gap >= 0, self.level * gap, (self.level - 1) * gap)
        return State(
            {
                "loss": np.array(loss.sum(), float),
                "below": np.array((gap <= 0).sum(), np.int64),
                "count": np.array(keep.sum(), np.int64),
            }
        )
