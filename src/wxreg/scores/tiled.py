"""The ensemble pass in plain NumPy, tile by tile: for machines without numba, and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.ensemble_parts import SUMS, EnsembleParts

Floats = NDArray[np.floating[Any]]
TILE = 4096


def ensemble_parts(
    forecast: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    bins: int,
    maps: Floats,
    threads: int | None,
    reference: bool = False,
) -> Iterator[EnsembleParts]:
    """One part a tile; `threads` is not used, NumPy decides."""
    members = forecast.shape[0]
    for first in range(0, truth.size, TILE):
        at = slice(first, first + TILE)
        rows, observed = forecast[:, at], truth[at]
        values = _point_values(rows.astype(float), observed.astype(float))
        if reference:
            values["crps_ensemble"] = _properscoring(rows, observed)
        above = (np.isfinite(rows) & (rows[None] >= thresholds[:, None, None])).sum(1)
        if maps.size:
            maps[:, at] = _map_rows(values, above)
        part = EnsembleParts.zero(bins, members, thresholds.size)
        weight = weights[at] if weights.size else np.ones(observed.size)
        counted = (index[at] >= 0) & np.isfinite(observed) & (values["size"] > 0)
        _add_moments(part, values, weight, index[at], counted)
        complete = counted & (values["size"] == members)
        _add_ranks(part, rows, observed, weight, index[at], complete)
        _add_tables(part, above, observed, thresholds, weight, index[at], complete)
        yield part


def reference_parts(
    forecast: Floats,
    truth: Floats,
    weights: NDArray[np.float64],
    index: NDArray[np.int32],
    thresholds: Floats,
    bins: int,
    maps: Floats,
    threads: int | None,
) -> Iterator[EnsembleParts]:
    """The same pass with the CRPS of `properscoring`, the reference engine.

    properscoring takes the members present at each point, as we do; it has no fair form,
    so `crps` (fair) stays ours.
    """
    return ensemble_parts(
        forecast, truth, weights, index, thresholds, bins, maps, threads, reference=True
    )


def _properscoring(rows: Floats, observed: Floats) -> NDArray[np.float64]:
    import properscoring

    members = np.where(np.isfinite(rows), rows, np.nan).T.astype(float)
    scores: NDArray[np.float64] = properscoring.crps_ensemble(observed.astype(float), members)
    return scores


def _point_values(rows: Floats, observed: Floats) -> dict[str, NDArray[np.float64]]:
    difference = rows - observed
    present = np.isfinite(difference)
    size = present.sum(0)
    m = np.maximum(size, 1)
    error = np.where(present, difference, 0).sum(0) / m
    absolute = np.where(present, np.abs(difference), 0).sum(0) / m
    departures = np.where(present, difference - error, 0)
    pairs = _half_pairs(np.where(present, difference, np.inf), error, size)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (departures**2).sum(0) / (size - 1)
        fair = absolute - pairs / (m * (m - 1.0))
    return {
        "size": size.astype(float),
        "observed": observed,
        "crps_ensemble": absolute - pairs / (m * m),
        "member_abs_error": absolute,
        "error": error,
        "abs_error": np.abs(error),
        "square_error": error**2,
        "crps": fair,
        "fair_square_error": error**2,
        "variance": variance,
        "inflated_variance": variance * (m + 1) / m,
    }


def _half_pairs(difference: Floats, mean: Floats, size: NDArray[Any]) -> NDArray[np.float64]:
    ordered = np.sort(difference, axis=0) - mean
    factor = 2 * np.arange(len(ordered))[:, None] + 1 - size
    terms = factor * np.where(np.isfinite(ordered), ordered, 0)
    return np.asarray(terms.sum(0), float)


def _map_rows(values: dict[str, NDArray[np.float64]], above: NDArray[Any]) -> Floats:
    size = values["size"]
    with np.errstate(invalid="ignore", divide="ignore"):
        some = np.where(size > 0, size, np.nan)
        mean = np.where(size > 0, values["error"] + values["observed"], np.nan)
        spread = np.where(size > 1, np.sqrt(values["variance"]), np.nan)
        return np.stack([mean, spread, *(above / some)])


def _add_moments(
    part: EnsembleParts,
    values: dict[str, NDArray[np.float64]],
    weight: NDArray[np.float64],
    index: NDArray[np.int32],
    counted: NDArray[np.bool_],
) -> None:
    paired = counted & (values["size"] > 1)
    for column, name in enumerate(SUMS):
        chosen = paired if column >= SUMS.index("fair_weight") else counted
        amount = 1.0 if name.endswith("weight") else values[name][chosen]
        np.add.at(part.sums[:, column], index[chosen], weight[chosen] * amount)
    np.add.at(part.numbers[:, 0], index[counted], 1)
    np.add.at(part.numbers[:, 1], index[counted], values["size"][counted].astype(np.int64))


def _add_ranks(
    part: EnsembleParts,
    rows: Floats,
    observed: Floats,
    weight: NDArray[np.float64],
    index: NDArray[np.int32],
    complete: NDArray[np.bool_],
) -> None:
    below = (rows < observed).sum(0)
    ties = (rows == observed).sum(0)
    for extra in range(int(ties[complete].max(initial=-1)) + 1):
        reached = complete & (ties >= extra)
        share = weight[reached] / (ties[reached] + 1)
        np.add.at(part.ranks, (index[reached], below[reached] + extra), share)


def _add_tables(
    part: EnsembleParts,
    above: NDArray[Any],
    observed: Floats,
    thresholds: Floats,
    weight: NDArray[np.float64],
    index: NDArray[np.int32],
    complete: NDArray[np.bool_],
) -> None:
    for t, threshold in enumerate(thresholds):
        event = (observed >= threshold).astype(int)
        cell: Any = (index[complete], t, above[t][complete], event[complete])
        np.add.at(part.tables, cell, 1)
        np.add.at(part.weighted, cell, weight[complete])
