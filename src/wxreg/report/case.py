"""One init and lead of a forecast beside its truth, ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.evaluating_fields import ForecastFields, TruthFields
from wxreg.runs.scoring_rows import lead_text
from wxreg.specs.grid import Grid
from wxreg.specs.variables import Variable

Field = NDArray[np.floating[Any]]

_PROJECTIONS: Final = {
    "lcc": "Lambert conformal", "laea": "Lambert equal-area", "stere": "stereographic",
    "merc": "Mercator", "longlat": "latitude and longitude", "latlong": "latitude and longitude",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What the maps of a report show."""

    variable: Variable
    members: Field
    truth: Field
    last: Field | None
    """The field at the init time; none where it is missing."""
    init: int
    lead: int
    threshold: float | None
    extent: tuple[float, float, float, float]
    """West, east, south and north edge in kilometres or degrees."""
    axes: tuple[str, str]
    projection: str

    @property
    def title(self) -> str:
        """What is shown, with its units."""
        return f"{self.variable.long_name} ({self.variable.units})"

    @property
    def when(self) -> str:
        """The init time, the lead and the valid time."""
        return (
            f"init {moment(self.init)}, lead {lead_text(self.lead)}, "
            f"valid {moment(self.init + self.lead)}"
        )


def moment(seconds: int) -> str:
    """``2023-06-11 07:00 UTC``."""
    return f"{np.datetime64(seconds, 's').astype('datetime64[m]')} UTC".replace("T", " ")


def choose_case(
    forecast: ForecastFields,
    truth: TruthFields,
    channel: str,
    variable: Variable,
    thresholds: Sequence[float],
    grid: Grid,
) -> Case | None:
    """The init whose truth varies most at the last lead that has a truth."""
    best: tuple[float, int, int, int] | None = None
    for number in reversed(range(len(forecast.leads))):
        for position, init in enumerate(forecast.inits):
            place = truth.place(init, forecast.leads[number])
            if place is None:
                continue
            spread = float(np.nanstd(truth.read(place, channel)))
            if best is None or spread > best[0]:
                best = (spread, position, number, place)
        if best is not None:
            break
    if best is None:
        return None
    _, position, number, place = best
    start = truth.place(forecast.inits[position], 0)
    extent, axes = _extent(truth, grid)
    real = truth.read(place, channel)
    return Case(
        variable=variable,
        members=forecast.read(position, number, channel),
        truth=real,
        last=None if start is None else truth.read(start, channel),
        init=forecast.inits[position],
        lead=forecast.leads[number],
        threshold=_reached(thresholds, real),
        extent=extent,
        axes=axes,
        projection=projection(grid),
    )


def _reached(thresholds: Sequence[float], real: Field) -> float | None:
    """The highest threshold that at least one cell in fifty reaches, else the lowest."""
    often = [one for one in thresholds if float((real >= one).mean()) >= 0.02]
    return max(often) if often else min(thresholds, default=None)


def _extent(
    truth: TruthFields, grid: Grid
) -> tuple[tuple[float, float, float, float], tuple[str, str]]:
    y, x = truth.store.y, truth.store.x
    scale, unit = (1000.0, "km") if grid.units == "m" else (1.0, "°")
    dy, dx = (step / scale for step in grid.spacing)
    west, east = float(x.min()) / scale - dx / 2, float(x.max()) / scale + dx / 2
    south, north = float(y.min()) / scale - dy / 2, float(y.max()) / scale + dy / 2
    names = ("x", "y") if grid.units == "m" else ("longitude", "latitude")
    return (west, east, south, north), (f"{names[0]} ({unit})", f"{names[1]} ({unit})")


def projection(grid: Grid) -> str:
    """The projection of a grid in words."""
    if grid.crs == "latlon":
        return _PROJECTIONS["longlat"]
    words = dict(word.lstrip("+").partition("=")[::2] for word in grid.crs.split())
    name = _PROJECTIONS.get(words.get("proj", ""), words.get("proj", grid.crs))
    return f"{name}, centred at {words.get('lat_0', '?')}°N {words.get('lon_0', '?')}°E"
