"""CSI x3, RMSE, MAE, bias and correlation of every member, against pysteps (the fastest peer)."""

from __future__ import annotations

from measure import Figure, paired, report
from scores_fields import THRESHOLDS, ensemble

from wxreg.scores.members import MemberScores


def main() -> list[Figure]:
    from pysteps.verification.detcatscores import det_cat_fct
    from pysteps.verification.detcontscores import det_cont_fct

    forecast, truth = ensemble()
    statistic = MemberScores(THRESHOLDS, threads=2)

    def peer() -> None:
        for member in forecast:
            for threshold in THRESHOLDS:
                det_cat_fct(member, truth, threshold, "CSI")
            det_cont_fct(member, truth, ["RMSE", "MAE", "ME", "corr_p"])

    return [
        paired(lambda: statistic.update(forecast, truth), peer, 2).figure("scores_members", 0.05)
    ]


if __name__ == "__main__":
    report(main())
