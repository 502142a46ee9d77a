"""Extra peak memory of scoring 10 and 50 members, above the arrays themselves, in MiB."""

from __future__ import annotations

import resource
import subprocess
import sys

from measure import Figure, report
from scores_fields import THRESHOLDS, ensemble

from wxreg.scores.ensemble import EnsembleScores


def extra(members: int) -> float:
    """Measured in a fresh process: the peak never falls."""
    done = subprocess.run(
        [sys.executable, __file__, str(members)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(members: int) -> None:
    small = ensemble(2)
    EnsembleScores(THRESHOLDS, threads=2).update(small[0][:, :64], small[1][:64])
    forecast, truth = ensemble(members)
    before = _peak()
    EnsembleScores(THRESHOLDS, threads=2).update_with_maps(forecast, truth)
    print(_peak() - before)


def main() -> list[Figure]:
    few, many = extra(10), extra(50)
    return [
        Figure("scores_memory_of_1GiB", many / 1024, 1, many, 1024, "MiB"),
        Figure("scores_memory_50_vs_10", many / max(few, 1), 1.5, many, few, "MiB"),
    ]


if __name__ == "__main__":
    child(int(sys.argv[1])) if len(sys.argv) > 1 else report(main())
