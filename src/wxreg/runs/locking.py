"""One execution of a plan at a time in a workspace."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wxreg.canonical import short
from wxreg.errors import Conflict


@contextmanager
def plan_lock(root: Path, plan: str, *, wait: bool) -> Iterator[None]:
    """Hold the plan; a second holder is told, or waits.  A killed holder lets go by itself."""
    path = root / ".reg" / "locks" / f"{plan}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Conflict(
                "REG-660",
                f"plan {short(plan)} is being run already in this workspace",
                hint="--wait queues behind it",
            ) from error
        yield
