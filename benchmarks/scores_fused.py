"""Every probabilistic score in one pass, against one read and against the fair CRPS of a peer."""

from __future__ import annotations

import numpy as np
import xarray as xr
from measure import Figure, paired, report
from scores.probability import crps_for_ensemble
from scores_fields import THRESHOLDS, ensemble

from wxreg.scores.ensemble import EnsembleScores


def main() -> list[Figure]:
    forecast, truth = ensemble()
    statistic = EnsembleScores(THRESHOLDS, threads=2)

    def ours() -> object:
        return statistic.update_with_maps(forecast, truth)

    lazy = xr.DataArray(forecast, dims=("member", "y", "x")).chunk({"y": 132})
    lazy_truth = xr.DataArray(truth, dims=("y", "x")).chunk({"y": 132})

    def peer() -> object:
        """`scores` on dask: the fastest peer with a fair CRPS."""
        return crps_for_ensemble(lazy, lazy_truth, "member", method="fair").compute()

    return [
        paired(ours, lambda: np.sum(forecast), 15).figure("scores_fused_vs_read", 5),
        paired(ours, peer, 3).figure("scores_fused_vs_fair_crps_peer", 0.125),
    ]


if __name__ == "__main__":
    report(main())
