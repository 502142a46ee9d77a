"""Peak memory of streaming `hrrr-convective`, in MiB above the interpreter and its imports.

At 10 and 50 members on the full grid, and at 10 and 100 days on one of 256 x 256; each in a
fresh process, as a peak never falls.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import scores_streaming
from measure import Figure, report
from scores_fields import SHAPE

from wxreg.runs.evaluating.fields import ForecastFields
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.scoring.keys import MODEL, StateKey
from wxreg.runs.scoring.states import field_states

SMALL = (256, 256)


def peak(members: int, shape: tuple[int, int], days: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        scores_streaming.write(Path(folder), members, shape, days)
        command = [sys.executable, __file__, folder, str(members)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def child(folder: Path, members: int) -> None:
    fields = ForecastFields(folder / "forecast.zarr")
    shape = fields.lat.shape
    _score(fields, members, shape, [])
    warm = _peak()
    _score(fields, members, shape, range(len(fields.inits)))
    print(_peak() - warm)


def _score(
    fields: ForecastFields, members: int, shape: tuple[int, ...], inits: Iterable[int]
) -> Tally:
    tally, scorings = Tally(), [scores_streaming.scoring(which, shape) for which in (True, False)]
    for init in inits:
        for wanted in scorings:
            forecast, truth = scores_streaming.sides(fields, init, members)
            for statistic, name, state in field_states(wanted, forecast, truth):
                tally.add(
                    StateKey(MODEL, statistic, name, 3600, "", "", fields.inits[init] // 86_400),
                    state,
                )
    return tally


def _peak() -> float:
    """The most this program has held; `ru_maxrss` would begin with what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> list[Figure]:
    few, many = peak(10, SHAPE, 1), peak(50, SHAPE, 1)
    short, long = peak(4, SMALL, 10), peak(4, SMALL, 100)
    return [
        Figure("scores_memory_of_1GiB", max(many, long) / 1024, 1, max(many, long), 1024, "MiB"),
        Figure("scores_memory_50_vs_10_members", many / few, 1.5, many, few, "MiB"),
        Figure("scores_memory_100_vs_10_days", long / short, 1.5, long, short, "MiB"),
    ]


if __name__ == "__main__":
    child(Path(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 1 else report(main())
