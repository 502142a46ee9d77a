"""How kernels are compiled: one set of options, cached on disk, free of the interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])
Part = TypeVar("Part")

PARTS = 16
"""Every pass is cut into this many parts and added in order, whatever the thread count:
so the same numbers come from one thread or from thirty."""


def compiled(function: Kernel) -> Kernel:
    """Compile a kernel on first use.

    Sums may be reordered so that they vectorise; NaN and infinity keep their meaning.
    """
    options = {"nogil": True, "cache": True, "error_model": "numpy"}
    decorated: Kernel = numba.njit(**options, fastmath={"reassoc", "contract", "nsz"})(function)
    return decorated


def in_parts(size: int, work: Callable[[int, int], Part], threads: int | None = None) -> list[Part]:
    """Run `work(start, stop)` over `size` points in `PARTS` parts; results in order."""
    edges = [size * part // PARTS for part in range(PARTS + 1)]
    spans = [(a, b) for a, b in pairwise(edges) if b > a]
    workers = threads or len(os.sched_getaffinity(0))
    if workers == 1 or len(spans) == 1:
        return [work(a, b) for a, b in spans]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda span: work(*span), spans))
