"""Scores of whole vectors: energy score, variogram score, vector errors."""

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
class FieldVectors:
    """Energy and variogram score of whole fields, each taken as one vector of its points.

    The variogram score looks at `points` places at most, evenly spread over the grid, since
    it compares every pair.  Members without a value anywhere are left out; points missing in
    the truth or any other member too.  Each score counts the fields that have it: none
    without a point, and no fair one with a single member.
    """

    points: int = 256
    order: float = 0.5

    def update(self, forecast: Field, truth: Field) -> State:
        """The state of one field: `forecast` is (members, y, x)."""
        rows = forecast.reshape(len(forecast), -1)
        rows = rows[np.isfinite(rows).any(1)]
        observed, places = truth.ravel(), _spread(truth.shape, self.points)
        values = dict.fromkeys(("energy", "energy_fair", "variogram"), float("nan"))
        if len(rows):
            values = {
                "energy": energy_score(rows, observed),
                "energy_fair": energy_score(rows, observed, fair=True),
                "variogram": variogram_score(rows[:, places], observed[places], self.order),
            }
        arrays: dict[str, Any] = {}
        for name, value in values.items():
            known = bool(np.isfinite(value))
            arrays[name] = np.array(value if known else 0.0, float)
            arrays[f"{name}_count"] = np.array(int(known), np.int64)
        return State(arrays)


def _spread(shape: tuple[int, ...], points: int) -> NDArray[np.intp]:
    """Flat indices of a regular subset of a grid."""
    step = 1
    while -(-shape[0] // step) * -(-shape[1] // step) > points:
        step += 1
    rows, columns = np.arange(0, shape[0], step), np.arange(0, shape[1], step)
    return np.asarray((rows[:, None] * shape[1] + columns).ravel(), np.intp)


def energy_score(forecast: Field, truth: Field, fair: bool = False) -> float:
    """Energy score of (members, dimensions) against (dimensions,).

    Dimensions missing in the truth or any member are left out; NaN if none remain, or for
    one member if `fair`.
    """
    keep = np.isfinite(forecast).all(0) & np.isfinite(truth)
    members, m = np.asarray(forecast[:, keep], float), len(forecast)
    if not keep.any() or (fair and m < 2):
        return float("nan")
    error = np.linalg.norm(members - truth[keep], axis=1).mean()
    pairs = sum(np.linalg.norm(members[i + 1 :] - members[i], axis=1).sum() for i in range(m))
    return float(error - pairs / (m * (m - 1) if fair else m * m))


def variogram_score(forecast: Field, truth: Field, order: float = 0.5) -> float:
    """Variogram score with unit weights over all ordered pairs of dimensions.

    Takes memory as dimensions squared: feed it a few hundred points.
    """
    keep = np.isfinite(forecast).all(0) & np.isfinite(truth)
    if not keep.any():
        return float("nan")
    members, observed = np.asarray(forecast[:, keep], float), np.asarray(truth[keep], float)
    expected = np.zeros((observed.size, observed.size))
    for member in members:
        expected += np.abs(np.subtract.outer(member, member)) ** order / len(members)
    return float(((np.abs(np.subtract.outer(observed, observed)) ** order - expected) ** 2).sum())


def vector_state(
    forecast: tuple[Field, Field],
    truth: tuple[Field, Field],
    weights: NDArray[np.float64] | None = None,
) -> State:
    """Squared vector error and error magnitude of (u, v) fields; missing in any, left out."""
    du, dv = forecast[0] - truth[0], forecast[1] - truth[1]
    square = np.asarray(du, float) ** 2 + np.asarray(dv, float) ** 2
    keep = np.isfinite(square)
    w = np.broadcast_to(1.0 if weights is None else weights, square.shape)
    return State(
        {
            "square_error": np.array((w * np.where(keep, square, 0)).sum(), float),
            "magnitude": np.array((w * np.sqrt(np.where(keep, square, 0))).sum(), float),
            "weight": np.array(w[keep].sum(), float),
            "count": np.array(keep.sum(), np.int64),
        }
    )


def vector_rmse(state: State) -> Floats:
    """Root of the mean squared length of the error vector (not the mean length)."""
    return np.asarray(np.sqrt(ratio(state["square_error"], state["weight"])), float)
