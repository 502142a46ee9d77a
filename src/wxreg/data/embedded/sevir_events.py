"""Which storms of the embedded world become SEVIR events, where and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wxreg.data.embedded.clock import hours_of
from wxreg.data.embedded.places import LATLON_PROJ, SEVIR_PROJ, lonlat_of_world, project
from wxreg.data.embedded.storms import moment
from wxreg.data.embedded.weather import World

EVENT_SEED = 2019
STORM_EVENTS, RANDOM_EVENTS, BROKEN_EVENTS = 66, 6, 2
FIRST_DAY = np.datetime64("2019-05-01", "D")
DAYS = 92
HALF_KM = 192.0
_REACH_X, _REACH_Y = 330.0, 150.0
_TYPES = ("Thunderstorm Wind", "Hail", "Flash Flood", "Tornado", "Heavy Rain", "Flood")


@dataclass(frozen=True)
class Event:
    """One square of 384 km for four hours; `x` and `y` are its lower-left corner (m, SEVIR)."""

    id: str
    kind: str
    """`storm`, `random` or `broken` (its file is damaged)."""
    event_type: str
    episode: str
    time: np.datetime64
    x: float
    y: float
    delays: dict[str, int]
    """Minutes by which the frames of each image type come late."""

    @property
    def number(self) -> int:
        """A number of its own, for what is drawn by chance within the event."""
        return int(self.id[1:])


def draw_events(world: World) -> list[Event]:
    """Return all events in the order of the catalogue: not sorted by time, as the real one."""
    draw = np.random.Generator(np.random.Philox(EVENT_SEED))
    kinds = ["storm"] * STORM_EVENTS + ["random"] * RANDOM_EVENTS + ["broken"] * BROKEN_EVENTS
    days = np.concatenate(
        [np.linspace(0, DAYS - 1, STORM_EVENTS), draw.uniform(0, DAYS - 1, 8)]
    ).astype(int)
    events: list[Event] = []
    for number, (kind, day) in enumerate(zip(kinds, days, strict=True)):
        minutes = (
            5 * int(draw.integers(12 * 16, 12 * 27))
            if kind != "random"
            else 5 * int(draw.integers(0, 288))
        )
        time = FIRST_DAY.astype("datetime64[m]") + np.timedelta64(1440 * int(day) + minutes, "m")
        sibling = events[-1] if number % 9 == 5 and kind == "storm" else None
        events.append(_event(world, draw, number, kind, time, sibling))
    order = np.random.Generator(np.random.Philox(EVENT_SEED + 1)).permutation(STORM_EVENTS)
    return [events[i] for i in order] + events[STORM_EVENTS:]


def _event(
    world: World,
    draw: np.random.Generator,
    number: int,
    kind: str,
    time: np.datetime64,
    sibling: Event | None,
) -> Event:
    """Draw one event; a sibling is the same storm a little later and a little aside."""
    delays = {name: int(draw.integers(-2, 3)) for name in ("vil", "ir069", "ir107", "vis", "lght")}
    if sibling is not None:
        time = sibling.time + np.timedelta64(30, "m")
        x, y = sibling.x + 90_000.0, sibling.y + 40_000.0
        episode = sibling.episode
    else:
        x, y = _corner(world, draw, kind, float(hours_of(np.asarray(time))))
        episode = str(136_000 + 7 * number)
    return Event(
        id=f"{'R' if kind == 'random' else 'S'}{810_000 + 13 * number}",
        kind=kind,
        event_type="" if kind == "random" else _TYPES[int(draw.integers(len(_TYPES)))],
        episode="" if kind == "random" else episode,
        time=time,
        x=x,
        y=y,
        delays=delays,
    )


def _corner(world: World, draw: np.random.Generator, kind: str, hour: float) -> tuple[float, float]:
    """Return the lower-left corner of a square around a strong cell, or of a random one."""
    px, py = draw.uniform(-_REACH_X, _REACH_X), draw.uniform(-_REACH_Y, _REACH_Y)
    if kind != "random":
        cells = world.cells(np.array([hour]))
        now = moment(cells, hour)
        here = (np.abs(now.x) < _REACH_X) & (np.abs(now.y) < _REACH_Y)
        rain = np.where(here, now.strength * cells.peak, 0.0)
        best = int(np.argmax(rain))
        px, py = float(now.x[best]) + 0.1 * px, float(now.y[best]) + 0.1 * py
    lon, lat = lonlat_of_world(np.asarray(px), np.asarray(py))
    x, y = project(LATLON_PROJ, SEVIR_PROJ, lon, lat)
    return float(np.round(x)) - HALF_KM * 1000, float(np.round(y)) - HALF_KM * 1000
