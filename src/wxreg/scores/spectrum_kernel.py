"""Power of Fourier coefficients summed over rings, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.compiling import compiled, in_parts


@compiled
def _range_power(
    coefficients: NDArray[Any],
    ring: NDArray[np.intp],
    even: bool,
    start: int,
    stop: int,
    sums: NDArray[np.float64],
) -> None:
    width = coefficients.shape[1]
    for i in range(start, stop):
        row, rings = coefficients[i], ring[i]
        for j in range(width):
            power = np.float64(row[j].real) ** 2 + np.float64(row[j].imag) ** 2
            single = j == 0 or (even and j == width - 1)
            sums[rings[j]] += power if single else 2 * power


def ring_power(
    coefficients: NDArray[Any], ring: NDArray[np.intp], even: bool, rings: int
) -> NDArray[np.float64]:
    """Power over the whole plane, from the half that the real transform keeps."""

    def work(start: int, stop: int) -> NDArray[np.float64]:
        sums = np.zeros(rings + 1)
        _range_power(coefficients, ring, even, start, stop, sums)
        return sums

    total: NDArray[np.float64] = np.sum(in_parts(ring.shape[0], work), axis=0)[:rings]
    return total
