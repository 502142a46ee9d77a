"""FSS of one pair, 3 thresholds by 5 windows, against pysteps (faster than scores)."""

from __future__ import annotations

from measure import Figure, paired, report
from scores_fields import THRESHOLDS, ensemble

from wxreg.scores.fss import FractionsSkill


def main() -> list[Figure]:
    from pysteps.verification.spatialscores import fss

    scales = (3, 9, 17, 33, 65)
    members, truth = ensemble(1)
    statistic = FractionsSkill(THRESHOLDS, scales, "padded", threads=2)

    def peer() -> None:
        for threshold in THRESHOLDS:
            for scale in scales:
                fss(members[0], truth, threshold, scale)

    pair = paired(lambda: statistic.update(members[0], truth), peer, 5)
    return [pair.figure("scores_fss", 0.05)]


if __name__ == "__main__":
    report(main())
