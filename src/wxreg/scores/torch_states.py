"""The pointwise ensemble state from tensors that are already on a device.

The numbers are those of `EnsembleScores` (sums in float64, unless the device has none); only
the small state leaves the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wxreg.scores.ensemble_parts import NUMBERS, SUMS, EnsembleParts
from wxreg.scores.states import State

TILE = 1 << 18


def ensemble_state(
    forecast: Tensor, truth: Tensor, thresholds: Sequence[float] = (), weights: Tensor | None = None
) -> State:
    """The state of one field in one bin: `forecast` is (members, y, x), `truth` (y, x)."""
    members = forecast.shape[0]
    rows, observed = forecast.reshape(members, -1), truth.reshape(-1)
    weight = torch.ones_like(observed) if weights is None else weights.reshape(-1)
    parts = EnsembleParts.zero(1, members, len(thresholds))
    for first in range(0, observed.numel(), TILE):
        at = slice(first, first + TILE)
        _add_tile(parts, rows[:, at], observed[at], weight[at], thresholds)
    return parts.state(weights is None)


def _add_tile(
    parts: EnsembleParts, rows: Tensor, truth: Tensor, weight: Tensor, thresholds: Sequence[float]
) -> None:
    keep = torch.isfinite(truth) & torch.isfinite(rows).any(0)
    rows, truth, weight = rows[:, keep], truth[keep], weight[keep].double()
    present = torch.isfinite(rows)
    size = present.sum(0)
    values = _values(rows, truth, present, size)
    paired = size > 1
    for column, name in enumerate(SUMS):
        amount = torch.ones_like(weight) if name.endswith("weight") else values[name].double()
        if column >= SUMS.index("fair_weight"):
            amount = torch.where(paired, amount, torch.zeros_like(amount))
        parts.sums[0, column] += float((weight * amount).sum())
    parts.numbers[0] += np.array([truth.numel(), int(size.sum())])
    assert len(NUMBERS) == 2
    whole = size == rows.shape[0]
    _add_counts(parts, rows[:, whole], truth[whole], weight[whole], thresholds)


def _values(rows: Tensor, truth: Tensor, present: Tensor, size: Tensor) -> dict[str, Tensor]:
    zero = torch.zeros((), dtype=rows.dtype, device=rows.device)
    difference = torch.where(present, rows - truth, zero)
    error, absolute = difference.sum(0) / size, difference.abs().sum(0) / size
    departures = torch.where(present, rows - truth - error, zero)
    ordered = torch.where(present, departures, torch.inf).sort(0).values
    place = 2 * torch.arange(len(rows), device=rows.device)[:, None] + 1 - size
    pairs = torch.where(torch.isfinite(ordered), place * torch.nan_to_num(ordered), zero).sum(0)
    variance = (departures**2).sum(0) / (size - 1)
    return {
        "crps_ensemble": absolute - pairs / size**2,
        "member_abs_error": absolute,
        "error": error,
        "abs_error": error.abs(),
        "square_error": error**2,
        "crps": absolute - pairs / (size * (size - 1)),
        "fair_square_error": error**2,
        "variance": variance,
        "inflated_variance": variance * (size + 1) / size,
    }


def _add_counts(
    parts: EnsembleParts, rows: Tensor, truth: Tensor, weight: Tensor, thresholds: Sequence[float]
) -> None:
    members = rows.shape[0]
    below, ties = (rows < truth).sum(0), (rows == truth).sum(0)
    for extra in range(int(ties.max()) + 1 if ties.numel() else 0):
        reached = ties >= extra
        share = weight[reached] / (ties[reached] + 1)
        ranks = torch.bincount(below[reached] + extra, share, members + 1)
        parts.ranks[0] += ranks.double().cpu().numpy()
    for t, threshold in enumerate(thresholds):
        cell = (rows >= threshold).sum(0) * 2 + (truth >= threshold)
        shape = (members + 1, 2)
        counts = torch.bincount(cell, minlength=2 * members + 2)
        parts.tables[0, t] += counts.cpu().numpy().reshape(shape)
        weighted = torch.bincount(cell, weight, 2 * members + 2).double()
        parts.weighted[0, t] += weighted.cpu().numpy().reshape(shape)
