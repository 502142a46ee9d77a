"""How kernels are compiled: one set of options, cached on disk, free of the interpreter lock."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
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
    kept, folder = numba.config.CACHE_DIR, cache_folder()
    options = {"nogil": True, "cache": folder is not None, "error_model": "numpy"}
    numba.config.CACHE_DIR = str(folder or "")  # read while decorating, and only then
    try:
        decorated: Kernel = numba.njit(**options, fastmath={"reassoc", "contract", "nsz"})(function)
    finally:
        numba.config.CACHE_DIR = kept
    return decorated


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """Where compiled kernels are kept: in the user's cache; none if nothing can be written.

    Numba looks only at the file of a kernel, not at those of the kernels it calls, so the
    folder is named by the digest of them all: no change leaves an old kernel in use.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    given = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    folder = Path(given or Path.home() / ".cache") / "wxreg" / f"kernels-{digest[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def in_parts(size: int, work: Callable[[int, int], Part], threads: int | None = None) -> list[Part]:
    """Run `work(start, stop)` over `size` points in `PARTS` parts; results in order."""
    edges = [size * part // PARTS for part in range(PARTS + 1)]
    spans = [(a, b) for a, b in pairwise(edges) if b > a]
    workers = threads or len(os.sched_getaffinity(0))
    if workers == 1 or len(spans) == 1:
        return [work(a, b) for a, b in spans]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda span: work(*span), spans))
