"""Scores of whole vectors: energy score, variogram score, vector errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.categorical import ratio
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]


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


def vector_rmse(state: State) -> float:
    """Root of the mean squared length of the error vector (not the mean length)."""
    return float(np.sqrt(ratio(state["square_error"], state["weight"])))
