"""Colours of figures: safe for colour-blind readers, and the usual ones for radar."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.specs.variables import Variable

LINES: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito."""

_DBZ: Final = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70)
_RADAR: Final = (
    "#9CE4EE", "#04A9E4", "#0257E0", "#01F401", "#02C501", "#018E00", "#FDF802",
    "#E5BC00", "#FD9500", "#FD0000", "#D40000", "#BC0000", "#F800FD",
)  # fmt: skip
"""The steps of 5 dBZ of the American weather radars, from 5 to 70."""
_MAPS: Final = {"sequential": "viridis", "diverging": "PuOr_r", "rain": "YlGnBu",
                "terrain": "cividis", "reflectivity": "viridis"}  # fmt: skip


def colouring(variable: Variable, fields: list[NDArray[Any]]) -> dict[str, Any]:
    """``cmap`` and ``norm`` that several maps of one variable share."""
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    if variable.colours == "reflectivity" and variable.units == "dBZ":
        colours = ListedColormap(list(_RADAR), name="radar").with_extremes(
            under="#F4F4F4", over="#9854C6", bad="#BBBBBB"
        )
        return {"cmap": colours, "norm": BoundaryNorm(_DBZ, len(_RADAR))}
    low, high = span(fields)
    if variable.colours == "diverging":
        high = max(abs(low), abs(high))
        low = -high
    if variable.colours == "rain":
        low = 0.0
    return {"cmap": _MAPS[variable.colours], "norm": Normalize(low, high)}


def span(fields: list[NDArray[Any]]) -> tuple[float, float]:
    """The range of nearly all values."""
    values = np.concatenate([field[np.isfinite(field)].ravel() for field in fields])
    if not values.size:
        return 0.0, 1.0
    low, high = (float(q) for q in np.quantile(values, [0.002, 0.998]))
    return (low, high) if high > low else (low - 0.5, high + 0.5)
