"""A process that records many runs: ``python run_many.py PLACE NAME COUNT``.

Each finished run is printed once the ledger has accepted it.
"""

from __future__ import annotations

import sys

from wxreg.ledger.records import ArtifactRecord, RunStart
from wxreg.ledger.store import Ledger


def main(place: str, name: str, count: int) -> None:
    with Ledger.open(place) as ledger:
        for number in range(count):
            run = f"{name}-{number}"
            ledger.begin(RunStart(run, "train", documents={"plan": f"plan {number % 3}"}))
            ledger.running(run)
            made = ArtifactRecord(f"{run:0>64}", "checkpoint", f"runs/{run}", 1, "2026", run)
            ledger.register(made)
            ledger.end(run, "finished", {"number": number})
            print(run, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
