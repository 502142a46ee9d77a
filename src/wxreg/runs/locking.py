"""One execution of a plan at a time in a workspace."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from wxreg.canonical import short
from wxreg.errors import Conflict

_HELD: Final[set[IO[str]]] = set()


def _let_go() -> None:
    """A process that loads data may outlive a killed training for a while: it holds no lock."""
    for stream in _HELD:
        stream.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)


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
        _HELD.add(stream)
        try:
            yield
        finally:
            _HELD.discard(stream)
