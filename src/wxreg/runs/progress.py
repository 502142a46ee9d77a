"""How training goes: running means for people and for ``metrics.jsonl``."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class TrainingProgress:
    """Sums since the last line that was written."""

    total: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    batches: int = 0
    samples: int = 0
    since: float = field(default_factory=time.monotonic)

    def add(self, value: float, terms: Mapping[str, Tensor], samples: int) -> None:
        """Count one batch."""
        self.total += value
        self.batches += 1
        self.samples += samples
        for name, term in terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + float(term.detach())

    def take(self) -> dict[str, Any]:
        """Means since the last call, and begin anew."""
        count = max(1, self.batches)
        seconds = max(1e-9, time.monotonic() - self.since)
        line = {
            "loss": self.total / count,
            "terms": {name: value / count for name, value in self.terms.items()},
            "samples_per_second": round(self.samples / seconds, 3),
        }
        self.total, self.batches, self.samples = 0.0, 0, 0
        self.terms, self.since = {}, time.monotonic()
        return line


class Bar:
    """A live progress bar on a terminal's stderr; nothing at all elsewhere."""

    def __init__(self, title: str, total: int, *, done: int = 0, quiet: bool = False) -> None:
        """``done`` was done before and says nothing of the speed."""
        self._progress: Any = None
        if quiet or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(title, total=total, completed=done, note="")
        self._progress.start()

    def at(self, done: int, note: str = "") -> None:
        """Show how much is done."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, note=note)

    def told(self, done: int, total: int) -> None:
        """Show how much of how much is done, for work that learns its size as it goes."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
