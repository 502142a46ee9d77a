"""Pointwise ensemble statistics: one pass, one state, three engines with the same numbers.

Missing values.  A value that is not finite is missing.  A point without an observation, or
without any member, counts nowhere.  With `m` members present at a point, CRPS, errors and
spread use that `m`; the fair CRPS and the spread need `m >= 2` (weight `fair_weight`).
Ranks and count tables take only points where every member is present.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.binning import Bins
from wxreg.scores.ensemble_parts import EnsembleParts
from wxreg.scores.states import State

Engine = Literal["fused", "tiled", "properscoring"]
Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class EnsembleScores:
    """CRPS (both forms), errors of the mean, spread, ranks and tables per threshold.

    `thresholds` are in the variable's units; an event is a value at or above one.
    """

    thresholds: tuple[float, ...] = ()
    engine: Engine = "fused"
    threads: int | None = None

    def update(
        self,
        forecast: Field,
        truth: Field,
        weights: NDArray[np.float64] | None = None,
        bins: Bins | None = None,
    ) -> State:
        """The state of one field: `forecast` is (members, y, x), `truth` is (y, x)."""
        return self._run(forecast, truth, weights, bins, maps=False)[0]

    def update_with_maps(
        self,
        forecast: Field,
        truth: Field,
        weights: NDArray[np.float64] | None = None,
        bins: Bins | None = None,
    ) -> tuple[State, Field]:
        """The state, and maps (2 + thresholds, y, x): mean, spread, exceedance probabilities."""
        return self._run(forecast, truth, weights, bins, maps=True)

    def _run(
        self,
        forecast: Field,
        truth: Field,
        weights: NDArray[np.float64] | None,
        bins: Bins | None,
        maps: bool,
    ) -> tuple[State, Field]:
        bins = bins or Bins.whole(truth.shape)
        members = forecast.shape[0]
        dtype = np.float64 if forecast.dtype == np.float64 else np.float32
        rows = np.ascontiguousarray(forecast, dtype).reshape(members, -1)
        weight = np.zeros(0) if weights is None else np.ascontiguousarray(weights, float).ravel()
        images = np.empty((2 + len(self.thresholds), truth.size if maps else 0), dtype)
        fields = (
            rows,
            np.ascontiguousarray(truth, dtype).ravel(),
            weight,
            np.ascontiguousarray(bins.index, np.int32).ravel(),
            np.array(self.thresholds, dtype),
        )
        parts = EnsembleParts.zero(bins.count, members, len(self.thresholds))
        for part in _engine(self.engine)(*fields, bins.count, images, self.threads):
            parts.add(part)
        shape = (len(images), *truth.shape) if maps else images.shape
        return parts.state(weights is None), images.reshape(shape)


def _engine(name: Engine) -> Any:
    """The pass of an engine.  Without numba, `fused` is the tiled NumPy path: same numbers."""
    if name == "fused" and importlib.util.find_spec("numba") is not None:
        from wxreg.scores import fused

        return fused.ensemble_parts
    from wxreg.scores import tiled

    return tiled.reference_parts if name == "properscoring" else tiled.ensemble_parts
