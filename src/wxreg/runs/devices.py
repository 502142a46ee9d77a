"""Which device computes, and whether it may only use deterministic algorithms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wxreg.errors import Incompatible


def choose_accelerator(asked: str) -> str:
    """``cpu``, ``cuda`` or ``mps``; a device that is not there is refused."""
    have = ["cpu"]
    if torch.cuda.is_available():
        have.insert(0, "cuda")
    if torch.backends.mps.is_available():
        have.insert(0, "mps")
    if asked == "auto":
        return have[0]
    if asked not in have:
        raise Incompatible(
            "REG-460",
            f"there is no {asked} device here",
            where="--device",
            hint=f"this machine has {', '.join(have)}",
        )
    return asked


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Deterministic algorithms while the block runs."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
