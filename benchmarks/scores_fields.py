"""The fields that every score benchmark shares: 50 members on the HRRR grid, float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE = (1059, 1799)
MEMBERS = 50
THRESHOLDS = (0.0, 1.0, 2.0)
Field = NDArray[np.floating[Any]]


def ensemble(members: int = MEMBERS) -> tuple[Field, Field]:
    random = np.random.default_rng(0)
    forecast = random.standard_normal((members, *SHAPE), dtype=np.float32)
    return forecast, random.standard_normal(SHAPE, dtype=np.float32)


def storms(seed: int) -> Field:
    """Smooth blobs like radar echoes, 0 to about 60."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 8)
    blobs: Field = np.clip(noise / noise.std() * 20, 0, None).astype(np.float32)
    return blobs
