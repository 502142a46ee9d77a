"""Finishing steps: from a merged state to values.

`finish(id, state)` gives an array: scalar for one bin of a plain metric, with a trailing
axis per threshold, then per scale, where the metric has them.  Leading axes of the state
(members, bootstrap draws) are kept, except for the metrics in `ONE_BY_ONE`.  0/0 is NaN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import NotFound
from wxreg.scores import categorical, constraints, initiation, multivariate, tables
from wxreg.scores.categorical import ratio
from wxreg.scores.displacement import mean_displacement
from wxreg.scores.fss import fss
from wxreg.scores.hersbach import CrpsDecomposition
from wxreg.scores.quantiles import PairedDistribution
from wxreg.scores.spectra import log_spectral_distance
from wxreg.scores.spread_error import correlation, spread_curve, spread_error_correlation
from wxreg.scores.states import State
from wxreg.scores.structure import gradient_ratio, structure_ratio
from wxreg.scores.yearly import climate_error, climate_value

Values = NDArray[np.float64]
Finish = Callable[[State], Any]
COST_LOSS: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""The cost/loss ratios of the economic value, unless a protocol names others."""


@dataclass(frozen=True)
class Declared:
    """What a protocol declares beside the state: edges of histograms, levels, ratios."""

    edges: tuple[float, ...] = ()
    levels: tuple[float, ...] = (0.5,)
    cost_loss: tuple[float, ...] = COST_LOSS


def finish(metric: str, state: State, declared: Declared | None = None) -> Values:
    """The values of one metric; an unknown id names its neighbours."""
    if metric in DECLARED_FINISHERS:
        return np.asarray(DECLARED_FINISHERS[metric](state, declared or Declared()), float)
    if metric not in FINISHERS:
        near = difflib.get_close_matches(metric, FINISHERS, 3)
        raise NotFound(
            "REG-350", f"no metric {metric!r} is finished from a state",
            hint="near: " + ", ".join(near) if near else "see `reg list metrics`",
        )  # fmt: skip
    return np.asarray(FINISHERS[metric](state), float)


def _mean(name: str, weight: str = "weight") -> Finish:
    return lambda state: ratio(state[name], state[weight])


def _per_row(name: str, weight: str) -> Finish:
    """Quotients along a trailing axis that share one weight."""
    return lambda state: ratio(state[name], state[weight][..., None])


def _by_probability(curve: Values) -> Values:
    """From "never" first to the natural probabilities 0, 1/m … 1 in rising order."""
    return np.flip(curve[..., 1:], -1)


def _root_mean(name: str, weight: str = "weight") -> Finish:
    return lambda state: np.sqrt(ratio(state[name], state[weight]))


def _counts(function: Callable[[Any], Any], name: str = "weighted_contingency") -> Finish:
    return lambda state: function(state[name])


def _table(function: Callable[[Any], Any]) -> Finish:
    return lambda state: function(state["weighted_table"])


def _correlation(state: State) -> Values:
    names = ("weight", "forecast", "truth", "forecast_square", "truth_square", "product")
    return correlation(*(state[name] for name in names))


def anomaly_correlation(state: State) -> Values:
    """Of states whose fields had the climatology taken off before the update."""
    return ratio(state["product"], np.sqrt(state["forecast_square"] * state["truth_square"]))


def explained_variance(state: State) -> Values:
    """1 - MSE / variance of the truth; NaN for a constant truth."""
    mean_square = ratio(state["truth_square"], state["weight"])
    variance = mean_square - ratio(state["truth"], state["weight"]) ** 2
    flat = variance <= 1e-12 * mean_square
    error = ratio(state["square_error"], state["weight"])
    return 1 - ratio(error, np.where(flat, 0, variance))


def spread_skill(state: State) -> Values:
    """Variances are averaged before the root; 1 is calibrated."""
    return np.sqrt(ratio(state["inflated_variance"], state["fair_square_error"]))


def _shares(state: State) -> Values:
    return ratio(state["ranks"], state["ranks"].sum(-1, keepdims=True))


def _sal(component: int) -> Finish:
    """Means over pairs: of the absolute value for S and A, as signs would cancel."""
    return lambda state: ratio(state["abs_sum"][..., component], state["count"][..., component])


def _object_mean(name: str) -> Finish:
    return lambda state: ratio(state[name], state["matched"])


def _object_share(part: str) -> Finish:
    return lambda state: ratio(
        state["matched" if part == "missed" else part], state["matched"] + state[part]
    )


FINISHERS: Final[dict[str, Finish]] = {
    "rmse": _root_mean("square_error"),
    "mse": _mean("square_error"),
    "mae": _mean("abs_error"),
    "bias": _mean("error"),
    "corr": _correlation,
    "acc": anomaly_correlation,
    "r2": explained_variance,
    "spatial_corr": _mean("sum", "count"),
    "ensemble_corr": _correlation,
    "ensemble_spatial_corr": _mean("sum", "count"),
    "ensemble_acc": anomaly_correlation,
    "ensemble_r2": explained_variance,
    "quantile_loss": _per_row("loss", "weight"),
    "ensemble_rmse": _root_mean("square_error"),
    "ensemble_mae": _mean("abs_error"),
    "ensemble_bias": _mean("error"),
    "crps": _mean("crps", "fair_weight"),
    "crps_ensemble": _mean("crps_ensemble"),
    "loglik": _mean("loglik"),
    "loglik_gaussian": _mean("loglik"),
    "loglik_parametric": _mean("loglik"),
    "spread_skill": spread_skill,
    "spread": _root_mean("variance", "fair_weight"),
    "spread_error_corr": spread_error_correlation,
    "spread_error_curve": lambda state: spread_curve(state).error,
    "rank_histogram": _shares,
    "rank_reliability": lambda state: tables.rank_reliability_index(state["ranks"]),
    "brier": _table(tables.brier),
    "brier_fair": _table(tables.brier_fair),
    "brier_reliability": _table(lambda t: tables.brier_decomposition(t).reliability),
    "brier_resolution": _table(lambda t: tables.brier_decomposition(t).resolution),
    "brier_uncertainty": _table(lambda t: tables.brier_decomposition(t).uncertainty),
    "reliability": _table(lambda t: ratio(t[..., 1], t.sum(-1))),
    "exceedance": _table(tables.mean_probability),
    "base_rate": _table(tables.base_rate),
    "roc_area": _table(tables.roc_area),
    "roc_pod": _table(lambda t: _by_probability(tables.roc_curve(t)[1])),
    "roc_pofd": _table(lambda t: _by_probability(tables.roc_curve(t)[0])),
    "energy_score": _mean("energy", "energy_count"),
    "energy_score_fair": _mean("energy_fair", "energy_fair_count"),
    "variogram_score": _mean("variogram", "variogram_count"),
    "csi": _counts(categorical.csi),
    "pod": _counts(categorical.pod),
    "far": _counts(categorical.far),
    "pofd": _counts(categorical.pofd),
    "ets": _counts(categorical.ets),
    "hss": _counts(categorical.hss),
    "freq_bias": _counts(categorical.freq_bias),
    "neighbourhood_csi": _counts(categorical.csi, "contingency"),
    "neighbourhood_pod": _counts(categorical.pod, "contingency"),
    "neighbourhood_far": _counts(categorical.far, "contingency"),
    "fss": fss,
    "sal_s": _sal(0),
    "sal_a": _sal(1),
    "sal_l": _sal(2),
    "object_pod": _object_share("missed"),
    "object_far": _object_share("false"),
    "object_distance": _object_mean("centroid_km"),
    "object_area_ratio": _object_mean("area_ratio"),
    "object_area": _object_mean("area_difference"),
    "object_intensity": _object_mean("intensity_difference"),
    "object_orientation": _object_mean("orientation_difference"),
    "object_interest": _object_mean("interest"),
    "psd": _per_row("forecast_power", "fields"),
    "lsd": log_spectral_distance,
    "gradient_ratio": gradient_ratio,
    "structure_ratio": structure_ratio,
    "initiation_pod": _counts(categorical.pod, "contingency"),
    "initiation_far": _counts(categorical.far, "contingency"),
    "onset_error": initiation.mean_timing_error,
    "onset_errors": initiation.timing_shares,
    "displacement": mean_displacement,
    "vector_rmse": multivariate.vector_rmse,
    "event_pod": _counts(categorical.pod, "contingency"),
    "event_far": _counts(categorical.far, "contingency"),
    "event_csi": _counts(categorical.csi, "contingency"),
    "event_bias": _counts(categorical.freq_bias, "contingency"),
    "violation_rate": constraints.violation_rate,
    "sample_violation_rate": constraints.sample_violation_rate,
    "wet_day_frequency": lambda state: climate_value(state, "wet_day_frequency"),
    "wet_day_error": lambda state: climate_error(state, "wet_day_frequency"),
    "r95p": lambda state: climate_value(state, "r95p"),
    "r95p_error": lambda state: climate_error(state, "r95p"),
    "rx1day": lambda state: climate_value(state, "rx1day"),
    "rx1day_error": lambda state: climate_error(state, "rx1day"),
    "trend": lambda state: climate_value(state, "trend"),
    "trend_error": lambda state: climate_error(state, "trend"),
}

DECLARED_FINISHERS: Final[dict[str, Callable[[State, Declared], Any]]] = {
    "crps_reliability": lambda s, d: CrpsDecomposition(d.edges).parts(s).reliability,
    "crps_resolution": lambda s, d: CrpsDecomposition(d.edges).parts(s).resolution,
    "crps_uncertainty": lambda s, d: CrpsDecomposition(d.edges).parts(s).uncertainty,
    "quantile_bias": lambda s, d: PairedDistribution(d.edges).quantile_bias(s, d.levels),
    "ensemble_quantile_bias": lambda s, d: PairedDistribution(d.edges).quantile_bias(s, d.levels),
    "quantile_distance": lambda s, d: PairedDistribution(d.edges).quantile_distance(s),
    "distribution_distance": lambda s, d: PairedDistribution(d.edges).wasserstein(s),
    "energy_distance": lambda s, d: PairedDistribution(d.edges).energy_distance(s),
    "economic_value": lambda s, d: tables.economic_value(
        s["weighted_table"], np.array(d.cost_loss)
    ),
}
"""Finishing steps that need what the protocol declares."""

ONE_BY_ONE: Final = frozenset({"crps_decomposition", "distribution", "mean_distribution"})
"""Statistics whose finishing step takes one state at a time, without leading axes."""
