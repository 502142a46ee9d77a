"""Quantiles of more numbers than fit into memory: a t-digest that merges, from the library crick.

A sketch holds some hundred centroids, most of them in the tails.  The same values in the same
order give the same sketch, so that statistics have one digest; nothing is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from crick import TDigest
from numpy.typing import NDArray

_COMPRESSION: Final = 500.0
_DIGITS: Final = 6


def _empty() -> Any:
    return TDigest(_COMPRESSION)


@dataclass(frozen=True)
class QuantileSketch:
    """A sketch of some numbers; the default is that of none."""

    digest: Any = field(default_factory=_empty)

    @classmethod
    def of(cls, values: NDArray[Any]) -> QuantileSketch:
        """Of the real numbers among ``values``."""
        flat = np.asarray(values, np.float64).reshape(-1)
        made = cls()
        made.digest.update(flat[~np.isnan(flat)])
        return made

    @property
    def count(self) -> int:
        """How many numbers it was made from."""
        return int(self.digest.size())

    def merged(self, other: QuantileSketch) -> QuantileSketch:
        """The sketch of both together."""
        both = QuantileSketch()
        both.digest.merge(self.digest, other.digest)
        return both

    def quantile(self, probability: float) -> float:
        """The number below which that share lies, to the digits that an estimate has."""
        return float(f"{float(self.digest.quantile(probability)):.{_DIGITS}g}")
