"""Whether the stores of inputs and targets lie on grids that fit together."""

from __future__ import annotations

from typing import Final

import numpy as np

from wxreg.data.fields import FieldStore
from wxreg.data.tiles import coarser
from wxreg.errors import Incompatible

_NEAR: Final = 0.1
"""How far cells of two grids may lie apart, in input cells."""


def cell_factor(inputs: FieldStore, targets: FieldStore) -> int:
    """How many target cells an input cell has a side; raises where the grids do not match."""
    factor = targets.shape[0] // inputs.shape[0]
    if factor < 1 or tuple(n * factor for n in inputs.shape) != targets.shape:
        raise unlike(inputs, targets, "an input cell must hold a whole number of target cells")
    if inputs is targets or np.isnan(inputs.lat).any() or np.isnan(targets.lat).any():
        return factor
    for coarse, fine in ((inputs.lat, targets.lat), (inputs.lon, targets.lon)):
        spacing = float(np.abs(np.diff(coarse)).max()) if coarse.size > 1 else 1.0
        if float(np.abs(coarser(fine, factor) - coarse).max()) > _NEAR * spacing:
            raise unlike(inputs, targets, "their cells lie in different places")
    return factor


def unlike(one: FieldStore, other: FieldStore, why: str) -> Incompatible:
    """The error that two grids do not match."""
    return Incompatible(
        "REG-436",
        f"grids of {one.shape} and {other.shape} do not match: {why}",
        where=f"{one.path}, {other.path}",
        hint="prepare both with a view onto one grid",
    )
