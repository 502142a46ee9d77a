"""Tiles of a field: where they lie, how a halo reaches past a border, coarser views.

A tile is cut on the grid of the targets; inputs that are ``factor`` times coarser are cut over
the same area, with the halo around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import Incompatible, UsageError

Real = TypeVar("Real", np.float32, np.float64)
Edges = Literal["repeat", "wrap"]
"""Beyond a border lies the nearest cell again, or in x the other side of the globe."""


@dataclass(frozen=True)
class Tile:
    """The size of tiles, in cells of the target grid."""

    size: int
    halo: int = 0
    """Cells around the tile that inputs and statics reach further."""
    edges: Edges = "repeat"

    def corners(self, shape: tuple[int, int], overlap: int = 0) -> NDArray[np.int64]:
        """Corners of tiles that cover ``shape`` in rows, the last ones moved inside."""
        rows, columns = (_starts(length, self.size, overlap) for length in shape)
        return np.array([(row, column) for row in rows for column in columns], np.int64)

    def room(self, shape: tuple[int, int], factor: int = 1) -> tuple[int, int]:
        """How many places a tile can have in each direction, in steps of ``factor`` cells."""
        if self.size % factor or self.halo % factor:
            raise Incompatible(
                "REG-436",
                f"tiles of {self.size} cells with a halo of {self.halo} do not divide into "
                f"input cells, which are {factor} times larger",
                hint=f"make both multiples of {factor}",
            )
        if min(shape) < self.size:
            raise Incompatible(
                "REG-436",
                f"a tile of {self.size} cells does not fit into {shape[0]} × {shape[1]} cells",
            )
        return (shape[0] - self.size) // factor + 1, (shape[1] - self.size) // factor + 1


def _starts(length: int, size: int, overlap: int) -> list[int]:
    if not 0 <= overlap < size:
        raise UsageError("REG-235", f"tiles of {size} cells cannot overlap by {overlap}")
    if size > length:
        raise Incompatible("REG-436", f"a tile of {size} cells is larger than {length} cells")
    starts = list(range(0, length - size + 1, size - overlap))
    if starts[-1] != length - size:
        starts.append(length - size)
    return starts


def cut(
    field: NDArray[Real], corner: NDArray[np.int64], tile: Tile, factor: int = 1
) -> NDArray[Real]:
    """The part of ``field (…, Y, X)`` under a tile and its halo; ``factor`` times coarser."""
    side = (tile.size + 2 * tile.halo) // factor
    first = (corner - tile.halo) // factor
    rows = np.clip(np.arange(first[0], first[0] + side), 0, field.shape[-2] - 1)
    columns = np.arange(first[1], first[1] + side)
    if tile.edges == "wrap":
        columns %= field.shape[-1]
    else:
        columns = np.clip(columns, 0, field.shape[-1] - 1)
    return field[..., rows[:, None], columns[None, :]]


def coarser(field: NDArray[Real], factor: int) -> NDArray[Real]:
    """Means of ``factor × factor`` cells; missing where any of them is; rest rows are cut."""
    if factor == 1:
        return field
    rows, columns = field.shape[-2] // factor, field.shape[-1] // factor
    whole = field[..., : rows * factor, : columns * factor]
    blocks = whole.reshape(*field.shape[:-2], rows, factor, columns, factor)
    mean: NDArray[Real] = blocks.mean(axis=(-3, -1), dtype=field.dtype)
    return mean
