"""`make demo`: the main job from training to proof, on the embedded data, with a summary."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
REG = str(Path(sys.executable).with_name("reg"))
MODEL = "aurora-hrrr-v1"


def reg(*words: str) -> dict[str, Any]:
    """Run one command as a person would see it, and return its JSON document."""
    print(f"\n$ reg {shlex.join(words)}", flush=True)
    began = time.monotonic()
    done = subprocess.run(
        [REG, *words, "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        print(done.stdout)
        sys.exit(done.returncode)
    document: dict[str, Any] = json.loads(done.stdout)
    print(f"  done in {time.monotonic() - began:.0f} s", flush=True)
    return document


def main() -> None:
    """Train, sample, evaluate, and ask the forecast where it came from."""
    trained = reg("train", MODEL)
    sampled = reg("sample", MODEL, "--limit", "12")
    forecast = sampled["forecast"]["path"]
    scored = reg("evaluate", forecast, "--baseline", "persistence")
    whence = reg("whence", forecast)
    print("\nWhat happened")
    print(f"  trained    {trained['run']}\n             {trained['checkpoint']['path']}")
    print(f"  sampled    {sampled['run']}\n             {forecast}")
    print(f"  evaluated  {scored['run']}")
    for row in scored["scores"]:
        if row["metric"] == "rmse" and row["bin"] == "all" and row["baseline"] == "persistence":
            print(
                f"             {row['variable']:<10} RMSE {row['value']:.4g}, "
                f"skill against persistence {row['skill']:+.0%}"
            )
    print(f"  whence     {whence['status']}: checkpoint {whence['checkpoint']['sha256'][:12]}")
    print("\nTry next")
    print(f"  .venv/bin/reg whence {Path(forecast).relative_to(ROOT)}")
    print(f"  .venv/bin/reg report {scored['run']}")
    print("  .venv/bin/reg list models")


if __name__ == "__main__":
    main()
