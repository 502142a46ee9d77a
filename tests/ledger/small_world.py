"""A little history that several tests start from."""

from __future__ import annotations

import hashlib

from wxreg.ledger.records import ArtifactRecord, ForecastIndex, RunStart
from wxreg.ledger.store import Ledger


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def artifact(name: str, kind: str, run: str | None = None) -> ArtifactRecord:
    return ArtifactRecord(
        sha256=sha(name),
        kind=kind,
        path=f"{kind}s/{name}",
        bytes=1234,
        created="2026-11-21T00:00:00+00:00",
        run=run,
        mtime_ns=1_795_000_000_123_456_789,
        details={"name": name},
    )


def start(run: str, kind: str = "train", **inputs: str) -> RunStart:
    """A run whose inputs are given as role=name."""
    return RunStart(
        id=run,
        kind=kind,
        plan=sha(f"plan of {run}"),
        code=sha("code"),
        environment=sha("environment"),
        details={"threads": 2, "loss": 0.25},
        inputs={sha(name): role for role, name in inputs.items()},
        documents={"environment": "torch==2.13.0\n", "plan": f"plan of {run}"},
    )


def prefixes(name: str, count: int = 20) -> tuple[int, ...]:
    return tuple(int(sha(f"{name} {number}")[:16], 16) for number in range(count))


def fill(ledger: Ledger) -> None:
    """One trained checkpoint, one forecast sampled from it, one export, one failed run."""
    ledger.register(artifact("hrrr-mini", "dataset"))
    ledger.register(artifact("stats", "statistics"), sources={sha("hrrr-mini"): "source"})
    ledger.begin(start("train-1", data="hrrr-mini", statistics="stats"))
    ledger.running("train-1")
    ledger.register(artifact("weights", "checkpoint", "train-1"))
    ledger.end("train-1", "finished", {"wall_s": 12.5})
    ledger.begin(start("sample-1", "sample", checkpoint="weights", data="hrrr-mini"))
    ledger.running("sample-1")
    index = ForecastIndex(sha("forecast"), sha("root"), prefixes("forecast"))
    ledger.register(artifact("forecast", "forecast", "sample-1"), index)
    ledger.end("sample-1", "finished")
    ledger.register(artifact("export", "export"), sources={sha("forecast"): "exported"})
    ledger.seen(sha("weights"), "checkpoints/weights", 1_795_000_000_999_999_999)
    ledger.removed(sha("export"), "exports/export")
    ledger.begin(start("train-2", data="hrrr-mini"))
    ledger.end("train-2", "failed", {"error": "REG-800"})
