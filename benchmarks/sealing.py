"""Sealing a forecast: what it takes of one `reg sample` in-process, from claim to sealed record.

Fields are hashed once, in the threads that write them; sealing adds the payload index, its
Merkle root, the record and the ledger entry.  The figure is the share of the wall time that
those take; ``sealing_hashed_once`` counts how often each field's bytes are hashed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from measure import Figure, report

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "runs")]

from noisy_world import NoisyWorld  # noqa: E402
from tiny_world import make_world  # noqa: E402

from wxreg.artifacts.digests import field_digest  # noqa: E402
from wxreg.data import forecast_files  # noqa: E402
from wxreg.data.forecast_files import ForecastWriter  # noqa: E402
from wxreg.runs.sampling import sample  # noqa: E402
from wxreg.runs.sampling.store import seal_forecast  # noqa: E402

REPEATS, MEMBERS, BUDGET = 5, 40, 0.05


class Stopwatch:
    """Time spent inside functions, and how often they were called."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def around(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*words: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*words, **more)
            finally:
                self.seconds += time.perf_counter() - began
                self.calls += 1

        return timed


def main() -> list[Figure]:
    """The shares of several samplings, and their median."""
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        world = NoisyWorld.make(make_world(Path(folder) / "world"))
        runs = [_once(world, seed) for seed in range(REPEATS + 1)][1:]
    shares = sorted(runs, key=lambda run: run[0] / run[1])
    sealing, whole, _ = shares[len(shares) // 2]
    hashed = median(run[2] for run in runs)
    return [
        Figure("sealing", sealing / whole, BUDGET, sealing, whole),
        Figure("sealing_hashed_once", hashed, 1.0, hashed, 1.0, unit="hashes a field"),
    ]


def _once(world: NoisyWorld, seed: int) -> tuple[float, float, float]:
    """Seconds of sealing, seconds altogether, and hashes for each field."""
    sealing, hashing = Stopwatch(), Stopwatch()
    plan = world.plan("sampling.sampler.steps=4", members=MEMBERS, seed=seed, times=(), limit=6)
    with (
        patch.object(sample, "seal_forecast", sealing.around(seal_forecast)),
        patch.object(ForecastWriter, "finish", _after_writing(sealing, ForecastWriter.finish)),
        patch.object(forecast_files, "field_digest", hashing.around(field_digest)),
    ):
        began = time.perf_counter()
        made = world.sample(plan)
        whole = time.perf_counter() - began
    return sealing.seconds, whole, hashing.calls / (made.inits * MEMBERS * 2)


def _after_writing(sealing: Stopwatch, finish: Callable[[Any], str]) -> Callable[[Any], str]:
    """Finishing without the wait for writes that are under way: those are no sealing."""

    def finished(writer: Any) -> str:
        writer._collect()
        return str(sealing.around(finish)(writer))

    return finished


if __name__ == "__main__":
    report(main())
