"""What an evaluation is asked to score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from wxreg.specs.plan import SamplePlan, StorePlan
from wxreg.specs.protocol import Protocol


@dataclass(frozen=True)
class Evaluation:
    """What is scored, against what, and how."""

    forecast: Path
    sampled: SamplePlan
    """The plan that the forecast names."""
    truth: StorePlan
    protocol: Protocol
    baselines: tuple[str, ...] = ()
    """Systems that are made on the way."""
    beside: tuple[Path, ...] = ()
    """Other forecasts that this one is compared with."""
    scheduler: str | None = None
    """The address of a dask cluster; none for the threads of this process."""
    quiet: bool = False

    def absolute(self) -> Evaluation:
        """The same, with paths that mean the same in every process."""
        beside = tuple(path.resolve() for path in self.beside)
        return replace(self, forecast=self.forecast.resolve(), beside=beside)
