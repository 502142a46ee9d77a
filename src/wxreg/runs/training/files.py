"""Where a training writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import storage_errors


@dataclass(frozen=True)
class Files:
    """Where a training writes."""

    folder: Path

    @property
    def resume(self) -> Path:
        """The folder of the resume point."""
        return self.folder / "resume"

    @property
    def metrics(self) -> Path:
        """One JSON object a line."""
        return self.folder / "metrics.jsonl"

    def checkpoint(self, name: str) -> Path:
        """``best``, ``last``, ``epoch-3`` or ``step-120``."""
        return self.folder / "checkpoints" / f"{name}.safetensors"

    def log(self, line: Mapping[str, Any]) -> None:
        """Add one line to the metrics."""
        with storage_errors(self.metrics), self.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
