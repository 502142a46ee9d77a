"""SAL and object matching of one pair, against the SAL of pysteps alone."""

from __future__ import annotations

from measure import Figure, Pair, report, seconds
from scores_fields import storms

from wxreg.scores.objects import ObjectScores
from wxreg.scores.sal import Sal


def main() -> list[Figure]:
    from pysteps.verification.salscores import sal

    forecast, truth = storms(0), storms(1)

    def ours() -> None:
        Sal(3.0, 3.0).update(forecast, truth)
        ObjectScores(35.0, 3.0, 3.0).update(forecast, truth)

    ours()
    times = sorted(seconds(ours) for _ in range(3))
    peer = seconds(lambda: sal(forecast.astype(float), truth.astype(float)))
    return [Pair(times[1] / peer, times[1], peer).figure("scores_sal_objects", 0.0333)]


if __name__ == "__main__":
    report(main())
