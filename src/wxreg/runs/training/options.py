"""What a training is asked for beside its plan, and what it leaves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainOptions:
    """How a training is carried out; none of it is part of the plan."""

    resume: bool = False
    again: bool = False
    wait: bool = False
    devices: int = 1
    accelerator: str = "auto"
    workers: int = 0
    resume_seconds: float = 30.0
    quiet: bool = False

    @property
    def world(self) -> int:
        """How many processes train together, whoever started them."""
        return int(os.environ.get("WORLD_SIZE", self.devices))


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    run: str
    state: str
    checkpoint: Path
    sha256: str
    metrics: dict[str, Any]
    reused: bool = False


def is_follower() -> bool:
    """Whether this process is one of several that a launcher started, and not the first."""
    return int(os.environ.get("RANK", "0")) > 0
