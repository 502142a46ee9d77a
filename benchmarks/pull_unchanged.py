"""Pulling an unchanged version of 10,000 files, against ``dvc status`` of it (CPU time)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Figure, paired, report

from wxreg.artifacts.dvc import add_version

FILES = 10_000
PULL = """
import sys
from pathlib import Path
from wxreg.artifacts.dvc import pull_version
assert not pull_version(Path(sys.argv[1]), "big", "v1", sys.argv[2]).changed
"""


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run(root, sys.executable, "-m", "dvc", "init", "-q", "--no-scm")
        digest = make_version(root)
        return [
            paired(
                lambda: run(root, sys.executable, "-c", PULL, str(root), digest),
                lambda: run(root, sys.executable, "-m", "dvc", "status", "data/big/v1.dvc"),
                repeats=5,
                clock="cpu",
            ).figure("pull_unchanged_10k_files_vs_dvc_status", 0.5)
        ]


def make_version(root: Path) -> str:
    version = root / "data" / "big" / "v1"
    for number in range(FILES):
        place = version / f"{number % 100:02}" / f"{number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(str(number).encode() * 20)
    return add_version(root, "big", "v1").digest


def run(root: Path, *command: str) -> None:
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    report(main())
