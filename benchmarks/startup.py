"""Start-up: CPU time of `reg --help` and a warm `reg resolve` against the bare imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measure import Figure, paired, report

ROOT = Path(__file__).resolve().parents[1]
REG = str(Path(sys.executable).with_name("reg"))


def run(*words: str) -> None:
    subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def main() -> list[Figure]:
    help_pair = paired(
        lambda: run(REG, "--help"),
        lambda: run(sys.executable, "-c", "import typer, rich"),
        repeats=11,
        clock="cpu",
    )
    resolve_pair = paired(
        lambda: run(REG, "resolve", "unet-hrrr-v1"),
        lambda: run(sys.executable, "-c", "import typer, rich, pydantic, yaml"),
        repeats=11,
        clock="cpu",
    )
    return [
        Figure("help_startup", help_pair.ratio, 1.5, help_pair.ours, help_pair.other, "s"),
        Figure(
            "resolve_startup", resolve_pair.ratio, 2.0, resolve_pair.ours, resolve_pair.other, "s"
        ),
    ]


if __name__ == "__main__":
    report(main())
