"""What every statistic is: a frozen value that turns a field into a mergeable state."""

from __future__ import annotations

from typing import Any, Protocol

from wxreg.scores.states import State


class Statistic(Protocol):
    """`update` gives the state of the fields passed, alone; merge it with the others.

    Pointwise statistics take `(forecast, truth, weights, bins)`, forecast as (members, y, x)
    or (y, x); spatial ones `(forecast, truth)`; multivariate ones mappings of fields.
    """

    def update(self, *fields: Any) -> State:
        """The state of these fields."""
        ...
