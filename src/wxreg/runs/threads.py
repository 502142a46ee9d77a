"""How many threads one process computes with: bits depend on it, so it is set and recorded."""

from __future__ import annotations

import os

import torch


def use_threads(count: int | None) -> int:
    """Set the threads of torch to ``count``, or to the cores this process may use."""
    chosen = count or len(os.sched_getaffinity(0))
    torch.set_num_threads(chosen)
    return chosen
