"""What the trailing axis of a metric's values stands for: the ``scale`` of its rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from wxreg.runs.scoring.cellwise import spread_edges
from wxreg.runs.scoring.statistics import windows_of
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.catalogue import Metric
from wxreg.scores.initiation import timing_errors
from wxreg.scores.structure import Structure

Scales = Sequence[float | None]
_Scale = Callable[[Scoring, Metric, str, int], Scales]


def scales_of(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    """The scale of every entry of the trailing axis, which has ``size`` of them."""
    known = _SCALES.get(metric.scale)
    return list(map(float, range(size))) if known is None else known(scoring, metric, name, size)


def _windows(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return [float(width) for width in windows_of(scoring.protocol, metric.statistic)]


def _levels(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return scoring.declared(metric.statistic, name).levels


def _ratios(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return scoring.declared(metric.statistic, name).cost_loss


def _probabilities(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return [at / (size - 1) for at in range(size)]


def _wavelengths(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return [scoring.longest_km / at if at else None for at in range(size)]


def _spreads(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    """The geometric middle of each bin; of the first, which begins at zero, half its end."""
    edges = spread_edges(scoring.protocol, name.partition("@")[0])
    return [math.sqrt(low * high) if low > 0 else high / 2 for low, high in pairwise(edges)]


def _lags(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return [float(lag) for lag in Structure(1, 1).lags]


def _onsets(scoring: Scoring, metric: Metric, name: str, size: int) -> Scales:
    return [float(error) for error in timing_errors(size)]


_SCALES: Final[dict[str, _Scale]] = {
    "window (points)": _windows,
    "level": _levels,
    "cost/loss ratio": _ratios,
    "probability": _probabilities,
    "wavelength (km)": _wavelengths,
    "middle of the bin": _spreads,
    "lag (points)": _lags,
    "error (frames)": _onsets,
}
