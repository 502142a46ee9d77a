"""Means over a stream of batches that look at real values only."""

from __future__ import annotations

import torch
from torch import Tensor


class RunningSums:
    """Sums and counts over the first dimension, and over places too if they share a climate."""

    def __init__(self, by_place: bool) -> None:
        self.by_place = by_place
        self.total: Tensor | None = None
        self.count: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """Add ``(N, …, Y, X)``; NaN is left out."""
        real = ~values.isnan()
        total, count = values.double().nan_to_num(0.0).sum(0), real.sum(0)
        if not self.by_place:
            total, count = total.sum((-2, -1), keepdim=True), count.sum((-2, -1), keepdim=True)
        self.total = total if self.total is None else self.total + total
        self.count = count if self.count is None else self.count + count

    def mean(self) -> Tensor:
        """The means; NaN where nothing real was seen."""
        if self.total is None or self.count is None:
            raise ValueError("no batch was added")
        return self.total / torch.where(self.count > 0, self.count, torch.nan)
