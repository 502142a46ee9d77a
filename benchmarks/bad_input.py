"""Bad input is told before anything heavy is loaded: its CPU time against `reg --help`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measure import Figure, paired, report

ROOT = Path(__file__).resolve().parents[1]
REG = str(Path(sys.executable).with_name("reg"))
BUDGET = 3.0
MISTAKES = {
    "train_setting": (2, ("train", "unet-hrrr-v1", "--set", "training.bach=4")),
    "train_entry": (3, ("train", "unet-hrrr-v2")),
    "train_lead": (4, ("train", "unet-hrrr-v1", "--lead-time", "7min")),
    "train_device": (4, ("train", "unet-hrrr-v1", "--device", "cuda")),
    "sample_value": (2, ("sample", "ddpm-hrrr-v1", "--set", "sampling.members=many")),
    "sample_init": (2, ("sample", "ddpm-hrrr-v1", "--init", "yesterday")),
    "sample_checkpoint": (3, ("sample", "nowhere/best.safetensors")),
    "train_type": (2, ("train", "unet-hrrr-v1", "--set", "training.batch=many")),
    "train_devices": (2, ("train", "unet-hrrr-v1", "--devices", "many")),
    "train_dataset": (3, ("train", "unet-hrrr-v1", "--data", "x@y")),
    "train_version": (3, ("train", "unet-hrrr-v1", "--data", "hrrr@mini-9")),
    "sample_members": (4, ("sample", "unet-hrrr-v1", "--members", "5")),
    "sample_cases": (3, ("sample", "ddpm-hrrr-v1", "--cases", "nope")),
    "evaluate_entry": (3, ("evaluate", "nothing")),
    "evaluate_forecast": (3, ("evaluate", "nowhere.zarr")),
    "evaluate_protocol": (3, ("evaluate", "unet-hrrr-v1", "--protocol", "nothing")),
}


def main() -> list[Figure]:
    """One figure for each mistake."""
    found = []
    for name, (status, words) in MISTAKES.items():
        pair = paired(
            lambda status=status, words=words: _run(status, *words),  # type: ignore[misc]
            lambda: _run(0, "--help"),
            repeats=7,
            clock="cpu",
        )
        found.append(pair.figure(f"bad_{name}", BUDGET))
    return found


def _run(status: int, *words: str) -> None:
    done = subprocess.run((REG, *words), cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == status, (words, done.returncode, done.stderr)


if __name__ == "__main__":
    report(main())
