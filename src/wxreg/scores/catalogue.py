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


_MEMBERS, _THRESHOLD, _SCALE = ("members",), ("threshold",), ("threshold", "scale")
_TABLE = ("members", "threshold")

_ROWS: Final = (
    Metric("rmse", "Root mean square error", "sqrt(mean (f - o)^2)", "variable", "lower",
           "members"),
    Metric("mse", "Mean square error", "mean (f - o)^2", "variable squared", "lower", "members"),
    Metric("mae", "Mean absolute error", "mean |f - o|", "variable", "lower", "members"),
    Metric("bias", "Mean error", "mean (f - o)", "variable", "zero", "members"),
    Metric("corr", "Correlation", "Pearson correlation over points", "1", "higher", "members"),
    Metric("acc", "Anomaly correlation", "sum f'o' / sqrt(sum f'^2 sum o'^2), departures from "
           "climate", "1", "higher", "members", ("climatology",)),
    Metric("r2", "Explained variance", "1 - mean (f - o)^2 / var o", "1", "higher", "members"),
    Metric("quantile_loss", "Quantile loss", "mean pinball loss at the level", "variable",
           "lower", "quantile_loss", ("level",)),
    Metric("quantile_bias", "Quantile bias", "forecast less observed quantile", "variable",
           "zero", "distribution", ("level",)),
    Metric("ensemble_rmse", "RMSE of the ensemble mean", "sqrt(mean (mean f - o)^2)", "variable",
           "lower", "ensemble"),
    Metric("ensemble_mae", "MAE of the ensemble mean", "mean |mean f - o|", "variable", "lower",
           "ensemble"),
    Metric("ensemble_bias", "Bias of the ensemble mean", "mean (mean f - o)", "variable", "zero",
           "ensemble"),
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
    Metric("spread_skill", "Spread-skill ratio", "sqrt((m+1)/m mean variance) / RMSE of the mean",
           "1", "one", "ensemble", _MEMBERS),
    Metric("spread", "Ensemble spread", "sqrt(mean variance)", "variable", "none", "ensemble",
           _MEMBERS),
    Metric("spread_error_corr", "Spread-error correlation", "correlation of spread and |error|",
           "1", "higher", "spread_error", _MEMBERS),
    Metric("rank_histogram", "Rank histogram", "share of observations per rank, ties shared", "1",
           "none", "ensemble", _MEMBERS),
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
           "1", "none", "ensemble", _TABLE),
    Metric("roc_area", "ROC area", "area below POD against POFD", "1", "higher", "ensemble",
           _TABLE),
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
    Metric("fss", "Fractions skill score", "1 - sum (Pf - Po)^2 / (sum Pf^2 + sum Po^2)", "1",
           "higher", "fss", _SCALE),
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
    Metric("object_interest", "Object interest", "mean interest of matched objects", "1",
           "higher", "objects", _THRESHOLD),
    Metric("psd", "Power spectrum", "mean power per ring of wavenumber", "variable squared",
           "none", "spectrum"),
    Metric("lsd", "Log-spectral distance", "sqrt(mean (10 log10 Pf/Po)^2)", "dB", "lower",
           "spectrum"),
    Metric("gradient_ratio", "Gradient ratio", "mean |grad f| / mean |grad o|", "1", "one",
           "structure"),
    Metric("initiation_pod", "Initiations found", "onsets matched in time / observed", "1",
           "higher", "initiation", _THRESHOLD),
    Metric("initiation_far", "False initiations", "onsets not matched / forecast", "1", "lower",
           "initiation", _THRESHOLD),
    Metric("onset_error", "Onset timing error", "mean forecast less observed onset", "frames",
           "zero", "initiation", _THRESHOLD),
    Metric("displacement", "Displacement", "mean distance to the truth by phase correlation",
           "km", "lower", "displacement"),
    Metric("vector_rmse", "Vector RMSE", "sqrt(mean (du^2 + dv^2))", "variable", "lower",
           "vector", ("two components",)),
    Metric("event_pod", "Event POD", "H / (H + M) of a declared event", "1", "higher", "event",
           ("event",)),
    Metric("event_far", "Event FAR", "F / (H + F) of a declared event", "1", "lower", "event",
           ("event",)),
    Metric("violation_rate", "Violation rate", "share of points that break a constraint", "1",
           "lower", "constraint", ("constraint",)),
    Metric("sample_violation_rate", "Sample violation rate", "share of samples with a violation",
           "1", "lower", "constraint", ("constraint",)),
)  # fmt: skip

METRICS: Final = {metric.id: metric for metric in _ROWS}
