"""What the instruments of SEVIR see of the embedded world, frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wxreg.data.embedded.clock import Floats, heating, hours_of, season
from wxreg.data.embedded.places import (
    LATLON_PROJ,
    SEVIR_PROJ,
    Place,
    lonlat_of_world,
    project,
    projected_place,
)
from wxreg.data.embedded.sevir_events import Event
from wxreg.data.embedded.storms import Cells, draw_cells, moment
from wxreg.data.embedded.weather import World

FRAMES, SIDE_M = 49, 384_000.0
SIZES = {"vil": 48, "ir069": 24, "ir107": 24, "vis": 48}
LIGHTNING_SIDE = 48
_INFRARED_STEP = 25
"""Infrared is stored in whole quarters of a degree (hundredths in the file)."""


def event_place(event: Event, side: int) -> Place:
    """Return the event's square with `side` pixels a side."""
    step = SIDE_M / side
    return projected_place(SEVIR_PROJ, event.x + step / 2, event.y + step / 2, step, side, side)


def frame_hours(event: Event, image: str) -> Floats:
    """Return the world times of the 49 frames of one image type."""
    minutes = -120 + event.delays[image] + 5 * np.arange(FRAMES)
    return float(hours_of(np.asarray(event.time))) + minutes / 60.0


def image_frames(world: World, event: Event, image: str) -> NDArray[np.generic]:
    """Return the stored array of one event: (H, W, T), codes as in the real files."""
    place, hours = event_place(event, SIZES[image]), frame_hours(event, image)
    cells = world.cells(hours)
    if image == "vil":
        frames = [vil_codes(liquid(world, place, cells, float(h))) for h in hours]
        return _with_gaps(np.stack(frames, axis=-1), event)
    if image == "vis":
        return np.stack([_visible(place, cells, float(h)) for h in hours], axis=-1)
    return np.stack([_infrared(world, place, cells, float(h), image) for h in hours], axis=-1)


def liquid(world: World, place: Place, cells: Cells, hour: float) -> Floats:
    """Return vertically integrated liquid in kg/m2: most in cells that still grow."""
    now = moment(cells, hour)
    weight = now.cells.peak * now.strength * (0.7 + 0.5 * np.clip(now.growth, -1.0, 1.0))
    drawn = draw_cells(place, now, 0.30 * weight[None], 1.0)[0]
    return np.asarray(drawn * np.sqrt(world.orographic(place, hour)))


def vil_codes(vil: Floats) -> NDArray[np.uint8]:
    """Return the code of each value in kg/m2: the inverse of SEVIR's decoding."""
    low = 90.66 * vil + 2.0
    high = 83.9 + 38.9 * np.log(np.maximum(vil, 1e-6))
    codes = np.where(high > 18.0, high, np.where(low > 5.0, np.minimum(low, 18.0), 0.0))
    return np.clip(np.round(codes), 0, 254).astype(np.uint8)


def _with_gaps(codes: NDArray[np.uint8], event: Event) -> NDArray[np.uint8]:
    """Blind the radar in some events: code 255 in a wedge, for some frames."""
    draw = np.random.Generator(np.random.Philox(key=event.number))
    if draw.uniform() > 0.35:
        return codes
    first, last = sorted(int(i) for i in draw.integers(0, FRAMES + 1, 2))
    width = int(draw.integers(2, 9))
    codes[-width:, : 4 * width, first:last] = 255
    return codes


def _anvil(place: Place, cells: Cells, hour: float) -> Floats:
    """Return 0 where the sky is clear and 1 under the thickest anvil: wide, and a little late."""
    now = moment(cells, hour - 0.15)
    later = moment(cells, hour - 0.45)
    weights = (np.sqrt(cells.peak) * (now.strength + 0.7 * later.strength))[None]
    return np.asarray(1.0 - np.exp(-0.16 * draw_cells(place, now, weights, 1.9, reach=3.3)[0]))


def _infrared(
    world: World, place: Place, cells: Cells, hour: float, image: str
) -> NDArray[np.int16]:
    """Return hundredths of a degree Celsius."""
    air = world.air(place, np.array([hour]))
    anvil = _anvil(place, cells, hour)
    if image == "ir107":
        clear, top = air.t2m[0] - 273.15 - 3.0, -66.0
    else:
        clear, top = -24.0 + 1.4 * air.aloft[0] - 2.0 * air.lift[0], -64.0
    celsius = clear + (top - clear) * anvil
    hundredths = np.round(celsius * 100 / _INFRARED_STEP) * _INFRARED_STEP
    return np.asarray(hundredths, dtype=np.int16)


def _visible(place: Place, cells: Cells, hour: float) -> NDArray[np.int16]:
    """Return ten-thousandths of reflectance; night is dark."""
    now = np.asarray(hour)
    light = np.clip(0.35 + 0.75 * heating(now) + 0.1 * season(now), 0.0, 1.0)
    ground = 0.10 + 0.05 * place.ground.land
    reflectance = light * (ground + (0.85 - ground) * _anvil(place, cells, hour))
    return (np.round(reflectance * 250) * 40).astype(np.int16)


def flashes(world: World, event: Event) -> Floats:
    """Return the list of flashes: seconds after the event's time, lat, lon, X, Y (pixels)."""
    hours = frame_hours(event, "lght")
    cells = world.cells(hours)
    draw = np.random.Generator(np.random.Philox(key=event.number + (1 << 40)))
    rows = [
        _flashes_of_frame(cells, event, float(hour), -7200.0 + 300.0 * frame, draw)
        for frame, hour in enumerate(hours)
    ]
    return np.concatenate(rows)


def _flashes_of_frame(
    cells: Cells, event: Event, hour: float, seconds: float, draw: np.random.Generator
) -> Floats:
    now = moment(cells, hour)
    rate = np.clip(cells.peak * now.strength * (0.8 + 0.4 * now.growth) - 14.0, 0.0, None)
    count = draw.poisson(0.12 * rate)
    source = np.repeat(np.arange(len(cells)), count)
    spread = 0.7 * cells.minor[source]
    px = now.x[source] + spread * draw.standard_normal(len(source))
    py = now.y[source] + spread * draw.standard_normal(len(source))
    times = seconds + draw.uniform(0.0, 300.0, len(source))
    lon, lat = lonlat_of_world(px, py)
    x, y = project(LATLON_PROJ, SEVIR_PROJ, lon, lat)
    step = SIDE_M / LIGHTNING_SIDE
    column, row = np.floor((x - event.x) / step), np.floor((y - event.y) / step)
    inside = (column >= 0) & (column < LIGHTNING_SIDE) & (row >= 0) & (row < LIGHTNING_SIDE)
    return np.stack([times, lat, lon, column, row], axis=1)[inside]
