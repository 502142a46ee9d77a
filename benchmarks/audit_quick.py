"""`audit --level quick` of 10,000 artifacts against stat of each and the interpreter's start.

Measured inside one process, after the imports: the command adds the start of `reg` once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Figure, paired, report

from wxreg.audit.audit import audit
from wxreg.ledger.records import ArtifactRecord, RunStart
from wxreg.ledger.store import Ledger

_COUNT = 10_000


def _fill(root: Path, ledger: Ledger) -> list[str]:
    (root / "registry").mkdir()
    (root / "catalog").mkdir()
    (root / "scores").mkdir()
    ledger.begin(RunStart("evaluate-1", "evaluate"))
    places = []
    for number in range(_COUNT):
        path = root / "scores" / f"{number}.json"
        path.write_text("{}")
        places.append(str(path))
        mtime = path.stat().st_mtime_ns
        record = ArtifactRecord(
            f"{number:064x}", "scores", f"scores/{number}.json", 2, "2026-11-21T00:00:00+00:00",
            "evaluate-1", mtime,
        )  # fmt: skip
        ledger.register(record)
    return places


def _bare(places: list[str]) -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    for place in places:
        os.stat(place)  # noqa: PTH116  the barest stat there is


def main() -> list[Figure]:
    """Measure both in turn."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ledger = Ledger(root / "ledger.db")
        places = _fill(root, ledger)
        found = audit(root, ledger).findings
        if found:
            sys.exit(f"the benchmark's own workspace is not sound: {found[0]}")
        pair = paired(lambda: audit(root, ledger), lambda: _bare(places), repeats=5)
        ledger.close()
    return [pair.figure("audit-quick-10000", 5.0)]


if __name__ == "__main__":
    report(main())
