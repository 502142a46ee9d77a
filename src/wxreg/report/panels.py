"""A figure of several small panels, three to a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from wxreg.leadtime import Duration

_COLUMNS: Final = 3
_WIDTH: Final = 3.6
_SHORT: Final = 2
_TICKS: Final = 6


def panels(count: int, height: float, width: float = _WIDTH) -> tuple[Any, list[Any]]:
    """The figure and its ``count`` axes, with a faint grid."""
    from matplotlib.figure import Figure

    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for axis in axes:
        axis.tick_params(labelsize=8)
        axis.grid(color="0.92")
        axis.set_axisbelow(True)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes[:count]


def lead_axis(axis: Any, leads: Iterable[str]) -> None:
    """Label an axis that is in hours: in minutes where leads are not whole hours, up to two."""
    from matplotlib.ticker import FuncFormatter

    hours = [Duration.parse(lead).seconds / 3600 for lead in leads]
    short = max(hours, default=0) <= _SHORT and any(hour % 1 for hour in hours)
    axis.set_xlabel(f"lead time ({'min' if short else 'h'})", fontsize=8)
    if short and len(set(hours)) > 1:
        shown = sorted(set(hours))
        axis.set_xticks(shown[:: -(-len(shown) // _TICKS)])
    if short:
        axis.xaxis.set_major_formatter(FuncFormatter(lambda hour, _: f"{60 * hour:.3g}"))
