"""Every metric in one table: what it is, its units, which way is better, where it comes from.

Standard library only, so that `reg list metrics` stays quick.  `statistic` names the state it
is finished from; `metrics.finish` does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Better = Literal["lower", "higher", "one", "zero", "none"]
"""Which way is better: lower, higher, near one, near zero; `none` for pictures and counts."""


@dataclass(frozen=True)
class Metric:
    """One row of the table.  `units`: the variable's own, its square, none, or as named."""

    id: str
    title: str
    definition: str
    units: str
    better: Better
    statistic: str
    needs: tuple[str, ...] = ()
    source: str = "ours"
    scale: str = ""
    """What the `scale` of its rows is, where there are several."""


_MEMBERS, _THRESHOLD, _SCALE = ("members",), ("threshold",), ("threshold", "windows")
_TABLE = ("members", "threshold")
_CLIMATE = ("daily data",)

_DETERMINISTIC: Final = (
    Metric("rmse", "Root mean square error", "sqrt(mean (f - o)^2)", "variable", "lower",
           "members"),
    Metric("mse", "Mean square error", "mean (f - o)^2", "variable squared", "lower", "members"),
    Metric("mae", "Mean absolute error", "mean |f - o|", "variable", "lower", "members"),
    Metric("bias", "Mean error", "mean (f - o)", "variable", "zero", "members"),
    Metric("corr", "Correlation", "Pearson correlation over points and times together", "1",
           "higher", "members"),
    Metric("spatial_corr", "Spatial correlation", "mean over fields of the Pearson correlation "
           "over points", "1", "higher", "pattern"),
    Metric("acc", "Anomaly correlation", "sum f'o' / sqrt(sum f'^2 sum o'^2), departures from "
           "the climatology of the training split", "1", "higher", "anomaly", ("climatology",)),
    Metric("r2", "Explained variance", "1 - mean (f - o)^2 / var o", "1", "higher", "members"),
    Metric("quantile_loss", "Quantile loss", "mean pinball loss of the members' quantile at the "
           "level", "variable", "lower", "quantile_loss", (), "ours", "level"),
    Metric("quantile_bias", "Quantile bias", "forecast less observed quantile, unpaired",
           "variable", "zero", "distribution", (), "ours", "level"),
    Metric("ensemble_rmse", "RMSE of the ensemble mean", "sqrt(mean (mean f - o)^2)", "variable",
           "lower", "ensemble"),
    Metric("ensemble_mae", "MAE of the ensemble mean", "mean |mean f - o|", "variable", "lower",
           "ensemble"),
    Metric("ensemble_bias", "Bias of the ensemble mean", "mean (mean f - o)", "variable", "zero",
           "ensemble"),
    Metric("ensemble_corr", "Correlation of the ensemble mean", "corr of mean f", "1", "higher",
           "mean"),
    Metric("ensemble_spatial_corr", "Spatial correlation of the ensemble mean",
           "spatial_corr of mean f", "1", "higher", "mean_pattern"),
    Metric("ensemble_acc", "Anomaly correlation of the ensemble mean", "acc of mean f", "1",
           "higher", "mean_anomaly", ("climatology",)),
    Metric("ensemble_r2", "Explained variance of the ensemble mean", "r2 of mean f", "1",
           "higher", "mean"),
    Metric("ensemble_quantile_bias", "Quantile bias of the ensemble mean",
           "quantile_bias of mean f", "variable", "zero", "mean_distribution", (), "ours",
           "level"),
)  # fmt: skip

_PROBABILISTIC: Final = (
    Metric("crps", "Fair CRPS", "mean |x - y| - sum |xi - xj| / (2 m (m-1))", "variable", "lower",
           "ensemble", _MEMBERS),
    Metric("crps_ensemble", "CRPS of the ensemble", "mean |x - y| - sum |xi - xj| / (2 m^2)",
           "variable", "lower", "ensemble", (), "ours; engine properscoring"),
    Metric("crps_reliability", "CRPS reliability", "Hersbach's reliability term", "variable",
           "lower", "crps_decomposition", _MEMBERS),
    Metric("crps_resolution", "CRPS resolution", "Hersbach's resolution term", "variable",
           "higher", "crps_decomposition", _MEMBERS),
    Metric("crps_uncertainty", "CRPS uncertainty", "CRPS of the observed climate", "variable",
           "none", "crps_decomposition", _MEMBERS),
    Metric("loglik", "Log-likelihood", "mean log density, Gaussian kernel on each member",
           "log(1/variable)", "higher", "loglik", _MEMBERS),
    Metric("loglik_gaussian", "Gaussian log-likelihood", "mean log density of a Gaussian with "
           "the members' mean and spread", "log(1/variable)", "higher", "loglik_gaussian",
           _MEMBERS),
    Metric("loglik_parametric", "Parametric log-likelihood", "mean log density of the physical "
           "value: mean over members of the normal density that each was drawn from, normal in "
           "transformed values and not gathered at the ends of the range", "log(1/variable)",
           "higher", "loglik_parametric", ("head",)),
    Metric("spread_skill", "Spread-skill ratio", "sqrt((m+1)/m mean variance) / RMSE of the mean",
           "1", "one", "ensemble", _MEMBERS),
    Metric("spread", "Ensemble spread", "sqrt(mean variance)", "variable", "none", "ensemble",
           _MEMBERS),
    Metric("spread_error_corr", "Spread-error correlation", "correlation of spread and |error|",
           "1", "higher", "spread_error", _MEMBERS),
    Metric("spread_error_curve", "Error by spread", "RMSE of the ensemble mean in bins of "
           "spread", "variable", "none", "spread_error", _MEMBERS, "ours", "middle of the bin"),
    Metric("rank_histogram", "Rank histogram", "share of observations per rank, ties shared", "1",
           "none", "ensemble", _MEMBERS, "ours", "rank"),
    Metric("rank_reliability", "Rank reliability index", "sum |share - 1/(m+1)|", "1", "lower",
           "ensemble", _MEMBERS),
    Metric("brier", "Brier score", "mean (p - e)^2", "1", "lower", "ensemble", _TABLE),
    Metric("brier_fair", "Fair Brier score", "Brier less mean p (1-p) / (m-1)", "1", "lower",
           "ensemble", _TABLE),
    Metric("brier_reliability", "Brier reliability", "Murphy's reliability term", "1", "lower",
           "ensemble", _TABLE),
    Metric("brier_resolution", "Brier resolution", "Murphy's resolution term", "1", "higher",
           "ensemble", _TABLE),
    Metric("brier_uncertainty", "Brier uncertainty", "base rate times its complement", "1",
           "none", "ensemble", _TABLE),
    Metric("reliability", "Reliability diagram", "observed frequency per forecast probability",
           "1", "none", "ensemble", _TABLE, "ours", "probability"),
    Metric("exceedance", "Exceedance probability", "mean share of members that reach the "
           "threshold", "1", "none", "ensemble", _TABLE),
    Metric("base_rate", "Base rate", "observed frequency of the event", "1", "none", "ensemble",
           _TABLE),
    Metric("roc_area", "ROC area", "area below POD against POFD", "1", "higher", "ensemble",
           _TABLE),
    Metric("roc_pod", "ROC curve, POD", "POD where at least the given share of members reach the "
           "threshold", "1", "none", "ensemble", _TABLE, "ours", "probability"),
    Metric("roc_pofd", "ROC curve, POFD", "POFD where at least the given share of members reach "
           "the threshold", "1", "none", "ensemble", _TABLE, "ours", "probability"),
    Metric("economic_value", "Economic value", "Richardson's relative value per cost/loss ratio",
           "1", "higher", "ensemble", _TABLE, "ours", "cost/loss ratio"),
    Metric("energy_score", "Energy score", "mean ||x - y|| - sum ||xi - xj|| / (2 m^2) of the "
           "field as one vector", "variable", "lower", "field_vector", _MEMBERS),
    Metric("energy_score_fair", "Fair energy score", "the same with 2 m (m-1)", "variable",
           "lower", "field_vector", _MEMBERS),
    Metric("variogram_score", "Variogram score", "sum over pairs of points of "
           "(|yi - yj|^p - mean |xi - xj|^p)^2", "variable^(2p)", "lower", "field_vector",
           _MEMBERS),
)  # fmt: skip

_CATEGORICAL: Final = (
    Metric("csi", "Critical success index", "H / (H + M + F)", "1", "higher", "members",
           _THRESHOLD),
    Metric("pod", "Probability of detection", "H / (H + M)", "1", "higher", "members", _THRESHOLD),
    Metric("far", "False alarm ratio", "F / (H + F)", "1", "lower", "members", _THRESHOLD),
    Metric("pofd", "Probability of false detection", "F / (F + C)", "1", "lower", "members",
           _THRESHOLD),
    Metric("ets", "Equitable threat score", "(H - Hr) / (H + M + F - Hr)", "1", "higher",
           "members", _THRESHOLD),
    Metric("hss", "Heidke skill score", "2 (HC - FM) / ((H+M)(M+C) + (H+F)(F+C))", "1", "higher",
           "members", _THRESHOLD),
    Metric("freq_bias", "Frequency bias", "(H + F) / (H + M)", "1", "one", "members", _THRESHOLD),
    Metric("neighbourhood_csi", "Neighbourhood CSI", "CSI of the largest values within a window",
           "1", "higher", "neighbourhood", _SCALE, "ours", "window (points)"),
    Metric("neighbourhood_pod", "Neighbourhood POD", "POD of the largest values within a window",
           "1", "higher", "neighbourhood", _SCALE, "ours", "window (points)"),
    Metric("neighbourhood_far", "Neighbourhood FAR", "FAR of the largest values within a window",
           "1", "lower", "neighbourhood", _SCALE, "ours", "window (points)"),
    Metric("event_pod", "Event POD", "H / (H + M) of a declared event", "1", "higher", "event",
           ("event",)),
    Metric("event_far", "Event FAR", "F / (H + F) of a declared event", "1", "lower", "event",
           ("event",)),
    Metric("event_csi", "Event CSI", "H / (H + M + F) of a declared event", "1", "higher",
           "event", ("event",)),
    Metric("event_bias", "Event frequency bias", "(H + F) / (H + M) of a declared event", "1",
           "one", "event", ("event",)),
    Metric("vector_rmse", "Vector RMSE", "sqrt(mean (du^2 + dv^2))", "variable", "lower",
           "vector", ("two components",)),
)  # fmt: skip

_SPATIAL: Final = (
    Metric("fss", "Fractions skill score", "1 - sum (Pf - Po)^2 / (sum Pf^2 + sum Po^2)", "1",
           "higher", "fss", _SCALE, "ours", "window (points)"),
    Metric("sal_s", "SAL structure", "contrast of scaled object volume", "1", "zero", "sal"),
    Metric("sal_a", "SAL amplitude", "contrast of domain mean", "1", "zero", "sal"),
    Metric("sal_l", "SAL location", "distance of centres + scatter, over the diagonal", "1",
           "lower", "sal"),
    Metric("object_pod", "Objects found", "matched / (matched + missed)", "1", "higher",
           "objects", _THRESHOLD),
    Metric("object_far", "False objects", "false / (matched + false)", "1", "lower", "objects",
           _THRESHOLD),
    Metric("object_distance", "Centroid distance", "mean over matched objects", "km", "lower",
           "objects", _THRESHOLD),
    Metric("object_area_ratio", "Object area ratio", "mean smaller over larger area of matched "
           "objects", "1", "higher", "objects", _THRESHOLD),
    Metric("object_area", "Object area difference", "mean forecast less observed area of matched "
           "objects", "km2", "zero", "objects", _THRESHOLD),
    Metric("object_intensity", "Object intensity difference", "mean forecast less observed 90th "
           "percentile within matched objects", "variable", "zero", "objects", _THRESHOLD),
    Metric("object_orientation", "Object orientation difference", "mean angle between the long "
           "axes of matched objects", "degree", "lower", "objects", _THRESHOLD),
    Metric("object_interest", "Object interest", "mean interest of matched objects", "1",
           "higher", "objects", _THRESHOLD),
    Metric("psd", "Power spectrum", "mean power per ring of wavenumber", "variable squared",
           "none", "spectrum", (), "ours", "wavelength (km)"),
    Metric("lsd", "Log-spectral distance", "sqrt(mean (10 log10 Pf/Po)^2)", "dB", "lower",
           "spectrum"),
    Metric("gradient_ratio", "Gradient ratio", "mean |grad f| / mean |grad o|", "1", "one",
           "structure"),
    Metric("structure_ratio", "Structure function ratio", "mean |f(x+r) - f(x)|^2 over that of "
           "the truth", "1", "one", "structure", (), "ours", "lag (points)"),
    Metric("initiation_pod", "Initiations found", "onsets matched in time / observed", "1",
           "higher", "initiation", _THRESHOLD),
    Metric("initiation_far", "False initiations", "onsets not matched / forecast", "1", "lower",
           "initiation", _THRESHOLD),
    Metric("onset_error", "Onset timing error", "mean forecast less observed onset", "frames",
           "zero", "initiation", _THRESHOLD),
    Metric("onset_errors", "Onset timing errors", "share of blocks by forecast less observed "
           "onset", "1", "none", "initiation", _THRESHOLD, "ours", "error (frames)"),
    Metric("displacement", "Displacement", "mean length of the flow from truth to forecast, by "
           "phase correlation of blocks", "km", "lower", "displacement"),
)  # fmt: skip

_PHYSICS_AND_CLIMATE: Final = (
    Metric("violation_rate", "Violation rate", "share of points that break a constraint", "1",
           "lower", "constraint", ("constraint",)),
    Metric("sample_violation_rate", "Sample violation rate", "share of samples with a violation",
           "1", "lower", "constraint", ("constraint",)),
    Metric("quantile_distance", "Quantile-quantile distance", "mean |forecast - observed| "
           "quantile at 0.01 to 0.99, unpaired", "variable", "lower", "distribution"),
    Metric("distribution_distance", "Distribution distance", "Wasserstein: area between the "
           "cumulative curves, unpaired", "variable", "lower", "distribution"),
    Metric("energy_distance", "Energy distance", "sqrt(2 integral (F - G)^2), unpaired",
           "variable^(1/2)", "lower", "distribution"),
    Metric("wet_day_frequency", "Wet-day frequency", "share of days of at least 1 mm", "1",
           "none", "climate", _CLIMATE),
    Metric("wet_day_error", "Wet-day frequency error", "forecast less observed", "1", "zero",
           "climate", _CLIMATE),
    Metric("r95p", "Rain of very wet days", "yearly sum above the 95th percentile of wet days of "
           "the training split", "variable", "none", "climate", (*_CLIMATE, "training split")),
    Metric("r95p_error", "Error of R95p", "forecast less observed", "variable", "zero",
           "climate", (*_CLIMATE, "training split")),
    Metric("rx1day", "Greatest day of a year", "mean over years and points", "variable", "none",
           "climate", _CLIMATE),
    Metric("rx1day_error", "Error of RX1day", "forecast less observed", "variable", "zero",
           "climate", _CLIMATE),
    Metric("trend", "Trend", "least-squares slope of yearly means, per decade", "variable",
           "none", "climate", _CLIMATE),
    Metric("trend_error", "Trend error", "forecast less observed", "variable", "zero", "climate",
           _CLIMATE),
)  # fmt: skip

METRICS: Final = {
    metric.id: metric
    for metric in (
        *_DETERMINISTIC, *_PROBABILISTIC, *_CATEGORICAL, *_SPATIAL, *_PHYSICS_AND_CLIMATE
    )
}  # fmt: skip
