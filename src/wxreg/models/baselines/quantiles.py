"""Mapping one climate's distribution onto another's, by quantiles and place by place.

All functions work on ``(N, …)`` samples and ``(Q, …)`` quantiles with equal trailing
dimensions; quantile levels are the midpoints ``(q + 1/2) / Q``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def quantiles_of(samples: Tensor, count: int) -> Tensor:
    """``count`` quantiles over the first dimension; NaN samples are left out."""
    ordered = samples.sort(dim=0).values
    real = (~samples.isnan()).sum(dim=0)
    levels = (torch.arange(count, dtype=samples.dtype, device=samples.device) + 0.5) / count
    places = levels.reshape(-1, *[1] * real.dim()) * (real - 1).clamp(min=0)
    low = places.floor().long()
    high = (low + 1).clamp(max=len(samples) - 1)
    share = places - low
    rest = torch.where(share > 0, ordered.gather(0, high) - ordered.gather(0, low), 0.0)
    return ordered.gather(0, low) + share * rest


def spread_dry_days(samples: Tensor, wet: float) -> Tensor:
    """Give dry days (below ``wet``) evenly spaced amounts between 0 and ``wet``.

    Ties at zero have no quantile of their own; spread out, two climates with unlike shares of
    dry days map onto each other, and amounts below ``wet`` are dry again afterwards.
    """
    dry = samples < wet
    rank = dry.cumsum(dim=0) - 1
    amount = (rank + 0.5) / dry.sum(dim=0).clamp(min=1) * wet
    return torch.where(dry, amount.to(samples.dtype), samples)


def without_surplus(made: Tensor, observed: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Leave out values at ``floor`` (no echo, say) where they were made more often than observed.

    They are ties: no mapping can tell which of them missed an echo.  Kept, they would pair the
    weakest echo that was made with a strong one that was observed, and all echoes above it too.
    Made less often, they stay, so that the weakest values that were made too often become nothing.
    """
    surplus = _share_at(made, floor) > _share_at(observed, floor)
    return (
        made.masked_fill(surplus & (made <= floor), torch.nan),
        observed.masked_fill(surplus & (observed <= floor), torch.nan),
    )


def _share_at(samples: Tensor, floor: float) -> Tensor:
    """The share of real samples that are at the floor."""
    real = (~samples.isnan()).sum(dim=0).clamp(min=1)
    return (samples <= floor).sum(dim=0) / real


def level_of(values: Tensor, quantiles: Tensor) -> Tensor:
    """The position of values among quantiles, as a fraction of the quantile index."""
    table = quantiles.movedim(0, -1).contiguous()
    wanted = values.movedim(0, -1).contiguous()
    above = torch.searchsorted(table, wanted).clamp(1, table.shape[-1] - 1)
    low, high = table.gather(-1, above - 1), table.gather(-1, above)
    share = torch.where(high > low, (wanted - low) / (high - low), 0.5)
    return (above - 1 + share.clamp(0, 1)).movedim(-1, 0)


def value_at(level: Tensor, quantiles: Tensor) -> Tensor:
    """The value at a position among quantiles: the inverse of :func:`level_of`."""
    table = quantiles.movedim(0, -1)
    place = level.movedim(0, -1).clamp(0, table.shape[-1] - 1)
    low = place.floor().long().clamp(max=table.shape[-1] - 2)
    share = place - low
    value = table.gather(-1, low) * (1 - share) + table.gather(-1, low + 1) * share
    return value.movedim(-1, 0)


def map_quantiles(values: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Empirical quantile mapping; beyond the ends the end's difference is kept."""
    mapped = value_at(level_of(values, source), target)
    beyond = (values - source[-1]).clamp(min=0) + (values - source[0]).clamp(max=0)
    return mapped + beyond


def map_changes(
    values: Tensor, application: Tensor, source: Tensor, target: Tensor, *, ratio: bool
) -> Tensor:
    """Quantile delta mapping: each quantile keeps its own change between the two periods.

    ``application`` holds the quantiles of the period that is corrected, ``source`` those of the
    same model in the training period.
    """
    level = level_of(values, application)
    was, should = value_at(level, source), value_at(level, target)
    if not ratio:
        return should + values - was
    return torch.where(was > 0, should * values / was.clamp(min=1e-12), should)
