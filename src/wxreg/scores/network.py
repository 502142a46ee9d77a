"""Batcher's merge exchange (Knuth 5.2.2, algorithm M) as a list of compare-exchanges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=32)
def sorting_network(size: int) -> NDArray[np.int64]:
    """Pairs `(low, high)`, in order, that sort `size` values; 395 pairs for fifty.

    The same exchanges serve whatever the values, so a whole tile of points is sorted at
    once, one vector lane a point.
    """
    pairs: list[tuple[int, int]] = []
    largest = 1 << max(size - 1, 0).bit_length() >> 1
    step = largest
    while step > 0:
        reach, remainder, distance = largest, 0, step
        while True:
            pairs += [(i, i + distance) for i in range(size - distance) if i & step == remainder]
            if reach == step:
                break
            distance, reach, remainder = reach - step, reach // 2, step
        step //= 2
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
