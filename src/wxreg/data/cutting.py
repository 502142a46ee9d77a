"""How the fields of one batch are cut to tiles, made coarser, and filled where they are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.data.tiles import Tile, coarser, cut
from wxreg.errors import UsageError

Floats = NDArray[np.float32]
_PLANE: Final = 2
"""Axes of one field."""


@dataclass(frozen=True)
class Cutting:
    """How fields of one batch are cut and made coarser."""

    tile: Tile | None
    corners: NDArray[np.int64] | None
    factor: int
    scale: int

    def __post_init__(self) -> None:
        if (self.tile is None) != (self.corners is None):
            raise UsageError("REG-235", "tiles need one corner a sample, and only they do")

    def inputs(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Input fields, each sample at its own corner."""
        return self._apply(frames, self.tile, self.factor, each=True)

    def statics(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Fields on the grid of the targets that serve every sample, with the halo."""
        return self._apply(planes, self.tile, 1, each=False)

    def targets(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Target fields, or a plane of their grid, without the halo."""
        bare = None if self.tile is None else replace(self.tile, halo=0)
        return self._apply(frames, bare, 1, each=frames.ndim > _PLANE)

    def _apply(
        self, field: NDArray[Any], tile: Tile | None, factor: int, *, each: bool
    ) -> NDArray[Any]:
        """``each``: the first axis is the sample; else one field serves all samples."""
        if tile is None or self.corners is None:
            return coarser(field, self.scale)
        return np.stack(
            [
                cut(field[sample] if each else field, corner, tile, factor)
                for sample, corner in enumerate(self.corners)
            ]
        )


def filled(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Finite values and their mask: missing cells get the mean of the real ones of their field."""
    mask = values == values  # only NaN differs from itself; ~isnan takes two passes
    if mask.all():
        return np.ascontiguousarray(values), mask
    count = mask.sum(axis=(-2, -1), keepdims=True)
    total = np.where(mask, values, 0).sum(axis=(-2, -1), keepdims=True, dtype=np.float64)
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    return np.where(mask, values, mean), mask
