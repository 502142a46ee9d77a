"""One init and lead of a forecast beside its truth, ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.data.windows import Start
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.scoring.rows import lead_text
from wxreg.specs.grid import Grid
from wxreg.specs.variables import Variable

Field = NDArray[np.floating[Any]]
_LEADS: Final = 6
_HALF: Final = 180.0

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
    """What the model was given of it last, on its own grid; none where it was given nothing."""
    start: Start
    lead: int
    threshold: float | None
    extent: tuple[float, float, float, float]
    """West, east, south and north edge in kilometres or degrees."""
    axes: tuple[str, str]
    projection: str

    @property
    def init(self) -> int:
        """The init time in seconds since 1970."""
        return self.start.init

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
    date, _, time = str(np.datetime64(seconds, "s").astype("datetime64[m]")).partition("T")
    return f"{date} {time} UTC"


@dataclass(frozen=True)
class Drawing:
    """Where the cases of a report are taken from."""

    forecast: ForecastFields
    truth: TruthFields
    channel: str
    variable: Variable
    thresholds: Sequence[float]
    grid: Grid
    inputs: TruthFields | None = None
    """What the model was given; none where it was given nothing of the channel."""

    def case(self) -> Case | None:
        """The init whose truth varies most, at the last lead that has a truth."""
        for number in reversed(range(len(self.forecast.leads))):
            found = [
                (float(np.nanstd(self.truth.read(place, self.channel))), position, place)
                for position, place in self._places(number)
            ]
            if found:
                _, position, place = max(found)
                return self._at(position, number, place)
        return None

    def leads_of(self, case: Case) -> list[tuple[Case, Field]]:
        """At most six leads of the same init, evenly spread, each with its first member."""
        position = self.forecast.starts.index(case.start)
        spread = np.linspace(0, len(self.forecast.leads) - 1, _LEADS).round().astype(int)
        found = []
        for number in sorted(set(spread.tolist())):
            place = self.truth.place(case.start, self.forecast.leads[number])
            if place is not None:
                one = self._at(position, number, place)
                found.append((one, one.members[0]))
        return found

    def _places(self, number: int) -> list[tuple[int, int]]:
        lead = self.forecast.leads[number]
        places = [(n, self.truth.place(one, lead)) for n, one in enumerate(self.forecast.starts)]
        return [(position, place) for position, place in places if place is not None]

    def _at(self, position: int, number: int, place: int) -> Case:
        start = self.forecast.starts[position]
        last = None if self.inputs is None else self.inputs.place(start, 0)
        extent, axes = _extent(self.truth, self.grid)
        real = self.truth.read(place, self.channel)
        return Case(
            variable=self.variable,
            members=self.forecast.read(position, number, self.channel),
            truth=real,
            last=None
            if last is None or self.inputs is None
            else self.inputs.read(last, self.channel),
            start=start,
            lead=self.forecast.leads[number],
            threshold=_reached(self.thresholds, real),
            extent=extent,
            axes=axes,
            projection=projection(self.grid),
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
    if grid.units != "m" and west >= _HALF:
        west, east = west - 2 * _HALF, east - 2 * _HALF
    south, north = float(y.min()) / scale - dy / 2, float(y.max()) / scale + dy / 2
    names = ("x", "y") if grid.units == "m" else ("longitude", "latitude")
    return (west, east, south, north), (f"{names[0]} ({unit})", f"{names[1]} ({unit})")


def projection(grid: Grid) -> str:
    """The projection of a grid in words."""
    if grid.crs == "latlon":
        return _PROJECTIONS["longlat"]
    words = dict(word.lstrip("+").partition("=")[::2] for word in grid.crs.split())
    name = _PROJECTIONS.get(words.get("proj", ""), words.get("proj", grid.crs))
    if "lat_0" not in words or "lon_0" not in words:
        return name
    lat, lon = float(words["lat_0"]), float(words["lon_0"])
    north, east = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    return f"{name}, centred at {abs(lat):g}°{north} {abs(lon):g}°{east}"
