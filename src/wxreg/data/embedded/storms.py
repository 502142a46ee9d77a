"""Storm cells: born where the air is unstable, carried, grown, decayed, and drawn on grids."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wxreg.data.embedded.background import (
    Background,
    buoyancy,
    instability,
    surface_pressure,
)
from wxreg.data.embedded.clock import Floats
from wxreg.data.embedded.motion import KM_PER_HOUR, steering
from wxreg.data.embedded.places import Place
from wxreg.data.embedded.terrain import ground

BOX = (-720.0, 680.0, -480.0, 480.0)
"""Where cells are born, in km of the world plane: x from, x to, y from, y to."""
CANDIDATES_A_DAY = 9000
POOL_HOURS = 1.6
"""How long a cold pool outlives its cell."""


@dataclass(frozen=True)
class Cells:
    """One row a cell. Times in hours, lengths in km, speeds in m/s, rain in mm/h."""

    born: Floats
    life: Floats
    x: Floats
    y: Floats
    vx: Floats
    vy: Floats
    peak: Floats
    major: Floats
    minor: Floats
    angle: Floats
    spin: Floats
    """Updraft helicity at the peak, m2/s2."""

    def __len__(self) -> int:
        return len(self.born)

    def keep(self, wanted: NDArray[np.bool_]) -> Cells:
        """Return the wanted rows."""
        return Cells(**{f.name: getattr(self, f.name)[wanted] for f in fields(self)})


@dataclass(frozen=True)
class Moment:
    """The cells at one time: where they are and how strong."""

    cells: Cells
    age: Floats
    """Share of the life that has passed; above 1 only the cold pool is left."""
    x: Floats
    y: Floats
    strength: Floats
    """Share of the peak rain."""
    growth: Floats
    """+1 in a growing cell, -1 in a dying one."""
    chill: Floats
    """Strength of the cold pool, 0 to 1."""


class StormCatalogue:
    """All cells of one world, drawn a day at a time so that any date stands alone."""

    def __init__(self, background: Background, seed: int) -> None:
        self.background = background
        self.seed = seed
        self._day = lru_cache(maxsize=8)(self._draw_day)

    def between(self, start: float, end: float) -> Cells:
        """Return the cells that leave a trace between two times (hours since the epoch)."""
        days = range(int((start - 5.0) // 24), int(end // 24) + 1)
        parts = [self._day(day) for day in days]
        every = Cells(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Cells)}
        )
        gone = every.born + every.life + POOL_HOURS
        return every.keep((every.born < end) & (gone > start))

    def _draw_day(self, day: int) -> Cells:
        draw = np.random.Generator(np.random.Philox(key=(self.seed << 32) + day + 100_000))
        count = int(draw.poisson(CANDIDATES_A_DAY))
        born = 24.0 * day + draw.uniform(0.0, 24.0, count)
        x, y = draw.uniform(*BOX[:2], count), draw.uniform(*BOX[2:], count)
        chance, shear, vigour = self._environment(born, x, y)
        noise = draw.standard_normal((4, count))
        luck, kind, shape = draw.uniform(size=(3, count))
        vx, vy = steering(born + 0.6, self.background.waves.shift)
        rotating = kind < np.clip((shear - 11.0) / 25.0, 0.0, 0.45)
        major = 5.5 + 4.5 * shape
        cells = Cells(
            born=born,
            life=np.clip(1.25 * np.exp(0.33 * noise[0]) * (1.0 + 0.35 * rotating), 0.6, 2.5),
            x=x,
            y=y,
            vx=vx + 0.6 * noise[1] + 0.5 * rotating,
            vy=vy + 0.6 * noise[2] - 1.0 * rotating,
            peak=np.clip(26.0 * vigour * np.exp(0.45 * noise[3]), 2.0, 110.0),
            major=major,
            minor=major * (0.62 + 0.3 * luck),
            angle=np.arctan2(vy, vx) + 0.5 * noise[1],
            spin=np.where(rotating, 30.0 + 5.0 * shear * vigour, 4.0 * vigour),
        )
        return cells.keep(draw.uniform(size=count) < chance)

    def _environment(self, born: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the chance of a birth, the 0-6 km shear, and the vigour of the cell."""
        soil = ground(x, y)
        air = self.background.at_points(born, x, y, soil)
        pressure = surface_pressure(air.t2m, air.mslp, soil.height)
        excess = buoyancy(air, air.t2m, air.t2m - air.depression, pressure)
        cape, cin = instability(air, excess)
        vx, vy = steering(born, self.background.waves.shift)
        shear = np.hypot(1.5 * vx + 5.0 - air.u10, 1.5 * vy - air.v10)
        fuel = 1.0 - np.exp(-cape / 900.0)
        lid = np.exp(cin / 55.0)
        trigger = 1.0 / (1.0 + np.exp(-1.6 * (air.lift - 0.3)))
        slope = 1.0 + 0.5 * np.tanh(soil.relief / 120.0)
        chance = (0.9 * fuel * lid + 0.06) * trigger * slope * self.background.climate.rain_factor
        return np.clip(chance, 0.0, 1.0), shear, 0.55 + 0.9 * fuel


def moment(cells: Cells, hour: float) -> Moment:
    """Return the cells as they are at one time."""
    age = (hour - cells.born) / cells.life
    lived = np.clip(age, 0.0, 1.0) * cells.life
    after = np.clip(hour - cells.born - cells.life, 0.0, None)
    path = KM_PER_HOUR * (lived + 0.45 * after)
    inside = np.clip(age, 0.0, 1.0)
    strength = np.sin(np.pi * inside**0.75) ** 2
    chill = np.clip((inside - 0.25) / 0.5, 0.0, 1.0) * np.clip(1.0 - after / POOL_HOURS, 0.0, 1.0)
    return Moment(
        cells=cells,
        age=age,
        x=cells.x + cells.vx * path,
        y=cells.y + cells.vy * path,
        strength=np.where((age > 0.0) & (age < 1.0), strength, 0.0),
        growth=np.clip(1.0 - 2.2 * inside, -1.0, 1.0),
        chill=np.where(age > 0.0, chill, 0.0),
    )


def draw_cells(
    place: Place, now: Moment, weights: Floats, widen: float, reach: float = 4.4
) -> Floats:
    """Return sums of the cells' Gaussian footprints; `weights` is (fields, cells)."""
    out = np.zeros((len(weights), *place.shape))
    alive = np.any(weights != 0.0, axis=0)
    row, col = place.to_grid(now.x, now.y)
    half = reach * widen * now.cells.major / place.spacing + 2.0
    ny, nx = place.shape
    near = (row > -half) & (row < ny + half) & (col > -half) & (col < nx + half) & alive
    _deposit(
        out, place.x, place.y, row[near], col[near], half[near], now.x[near], now.y[near],
        np.cos(now.cells.angle[near]), np.sin(now.cells.angle[near]),
        widen * now.cells.major[near], widen * now.cells.minor[near],
        np.ascontiguousarray(weights[:, near].T), 0.5 * reach * reach,
    )  # fmt: skip
    return out


@njit
def _deposit(  # type: ignore[no-untyped-def]  # numba infers the types
    out, gx, gy, row, col, half, cx, cy, cos, sin, major, minor, weight, limit
):
    ny, nx = gx.shape
    for n in range(len(row)):
        for r in range(max(0, int(row[n] - half[n])), min(ny, int(row[n] + half[n]) + 2)):
            for c in range(max(0, int(col[n] - half[n])), min(nx, int(col[n] + half[n]) + 2)):
                dx, dy = gx[r, c] - cx[n], gy[r, c] - cy[n]
                along = (dx * cos[n] + dy * sin[n]) / major[n]
                across = (dy * cos[n] - dx * sin[n]) / minor[n]
                q = 0.5 * (along * along + across * across)
                if q < limit:
                    bell = np.exp(-q)
                    for f in range(weight.shape[1]):
                        out[f, r, c] += weight[n, f] * bell
