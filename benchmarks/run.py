"""Run the benchmark scripts and gather their figures in ``benchmarks/results.json``.

``python benchmarks/run.py [NAME ...]`` runs the scripts whose names contain one of the
words, or all.  Exit status 1: a figure is over its budget, or a script failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measure import parse

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
NOT_SCRIPTS = {"run.py", "measure.py", "scores_fields.py"}


def main(words: list[str]) -> int:
    scripts = [path for path in sorted(HERE.glob("*.py")) if path.name not in NOT_SCRIPTS]
    chosen = [path for path in scripts if not words or any(word in path.stem for word in words)]
    if not chosen:
        print(f"no benchmark matches {' '.join(words)}", file=sys.stderr)
        return 1
    rows: list[dict[str, object]] = []
    failed: list[str] = []
    for script in chosen:
        figures, status = run_script(script)
        rows += figures
        if status or not figures:
            failed.append(script.name)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for name in failed:
        print(f"{name} failed or printed no figure", file=sys.stderr)
    return 1 if failed or not all(row["ok"] for row in rows) else 0


def run_script(script: Path) -> tuple[list[dict[str, object]], int]:
    """Run one script in its own process, echo what it prints, and keep its figures."""
    figures: list[dict[str, object]] = []
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            figure = parse(line)
            if figure is not None:
                figures.append(figure)
    return figures, process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
