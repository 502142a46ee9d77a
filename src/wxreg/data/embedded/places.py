"""The points of a grid in the world plane, with the ground under them.

The world plane is HRRR's Lambert plane in kilometres, moved so that the middle of the world
(39.6 N, 103.5 W) is near zero.  Winds of the world are components along this plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pyproj import Transformer

from wxreg.data.embedded.clock import Floats
from wxreg.data.embedded.terrain import Ground, ground

HRRR_PROJ = (
    "+proj=lcc +lat_0=38.5 +lon_0=-97.5 +lat_1=38.5 +lat_2=38.5 +R=6371229 +units=m +no_defs"
)
CONUS404_PROJ = (
    "+proj=lcc +lat_0=39.100006 +lon_0=-97.9 +lat_1=30 +lat_2=50 +R=6370000 +units=m +no_defs"
)
SEVIR_PROJ = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +b=6370997.0 +no_defs"
LATLON_PROJ = "+proj=longlat +R=6371229 +no_defs"
CENTRE_X, CENTRE_Y = -510.0, 130.0
"""The middle of the world in kilometres of HRRR's Lambert plane."""


@dataclass(frozen=True)
class Place:
    """A grid: world coordinates (km), geography, ground, and the way back to rows and columns."""

    x: Floats
    y: Floats
    lat: Floats
    lon: Floats
    turn: Floats
    """Angle in radians from the world's x axis to true east, anticlockwise positive."""
    ground: Ground
    spacing: float
    to_grid: Callable[[Floats, Floats], tuple[Floats, Floats]]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.x.shape[0], self.x.shape[1]

    def to_east_north(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Turn world components into earth-relative ones."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return u * cos + v * sin, v * cos - u * sin


def projected_place(proj: str, x0: float, y0: float, step: float, ny: int, nx: int) -> Place:
    """Return a grid with its lower-left cell centre at (x0, y0), in metres or degrees of `proj`."""
    gx, gy = np.meshgrid(x0 + step * np.arange(nx), y0 + step * np.arange(ny))
    lon, lat = _transformer(proj, LATLON_PROJ).transform(gx, gy)
    forward = _transformer(proj, HRRR_PROJ)
    back = _transformer(HRRR_PROJ, proj)
    wx, wy = (np.asarray(v) for v in forward.transform(gx, gy))
    x, y = wx / 1000.0 - CENTRE_X, wy / 1000.0 - CENTRE_Y

    def to_grid(px: Floats, py: Floats) -> tuple[Floats, Floats]:
        bx, by = back.transform((px + CENTRE_X) * 1000.0, (py + CENTRE_Y) * 1000.0)
        return (np.asarray(by) - y0) / step, (np.asarray(bx) - x0) / step

    return Place(
        x=x,
        y=y,
        lat=np.asarray(lat),
        lon=np.asarray(lon),
        turn=np.sin(np.deg2rad(38.5)) * np.deg2rad(np.asarray(lon) + 97.5),
        ground=ground(x, y),
        spacing=float(np.hypot(x[0, 1] - x[0, 0], y[0, 1] - y[0, 0])),
        to_grid=to_grid,
    )


def lonlat_of_world(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return longitude and latitude of world points (km)."""
    lon, lat = _transformer(HRRR_PROJ, LATLON_PROJ).transform(
        (x + CENTRE_X) * 1000.0, (y + CENTRE_Y) * 1000.0
    )
    return np.asarray(lon), np.asarray(lat)


def project(source: str, target: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Transform points between two of the projections named in this file."""
    tx, ty = _transformer(source, target).transform(x, y)
    return np.asarray(tx), np.asarray(ty)


def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
