"""Grids as arrays: coordinates, winds turned to true east and north, rows turned north-up.

Arrays have rows and columns as their last two axes; everything before them is carried along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyproj
from numpy.typing import NDArray

from wxreg.errors import Incompatible
from wxreg.specs.grid import Grid

Array = NDArray[Any]
_BY_ROUNDING: Final = 1e-6
"""How far outside, in cells, a point may lie by rounding."""


@dataclass(frozen=True)
class Coordinates:
    """Where the cells of a grid lie, in its own row order."""

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    """Degrees east, −180 to 180."""


@lru_cache(maxsize=8)
def coordinates(grid: Grid) -> Coordinates:
    """The coordinates of ``grid``, whose origin must be known."""
    if grid.origin is None:
        raise Incompatible("REG-430", "the grid has no fixed origin, so it has no coordinates")
    y = grid.origin[0] + grid.spacing[0] * np.arange(grid.shape[0], dtype=np.float64)
    x = grid.origin[1] + grid.spacing[1] * np.arange(grid.shape[1], dtype=np.float64)
    if grid.rows == "north-to-south":
        y = y[::-1].copy()
    lon, lat = np.meshgrid(x, y)
    if grid.crs != "latlon":
        lon, lat = _projection(grid.crs)(lon, lat, inverse=True)
    return Coordinates(y, x, lat, (lon + 180) % 360 - 180)


@lru_cache(maxsize=8)
def _projection(crs: str) -> pyproj.Proj:
    return pyproj.Proj(crs)


@lru_cache(maxsize=4)
def turning(grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine of the angle from grid north to true north at every cell."""
    place = coordinates(grid)
    if grid.crs == "latlon":
        return np.ones(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    factors = _projection(grid.crs).get_factors(place.lon, place.lat)
    angle = np.deg2rad(np.asarray(factors.meridian_convergence))
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def to_earth(u: Array, v: Array, grid: Grid) -> tuple[Array, Array]:
    """Grid-relative components as eastward and northward ones, in the grid's row order."""
    cosine, sine = turning(grid)
    return u * cosine + v * sine, v * cosine - u * sine


def north_up(values: Array, rows: str) -> Array:
    """``values`` with the northernmost row first."""
    return values[..., ::-1, :] if rows == "south-to-north" else values


def turned_north_up(grid: Grid) -> Grid:
    """The same cells, stored from north to south, with earth-relative winds."""
    return grid.model_copy(update={"rows": "north-to-south", "winds": "earth-relative"})


def crop_to(grid: Grid, window: tuple[slice, slice]) -> Grid:
    """The grid of a window of a north-up ``grid``."""
    place = coordinates(grid)
    y, x = place.y[window[0]], place.x[window[1]]
    if not (len(y) and len(x)):
        raise Incompatible("REG-430", "the region holds no cell of the grid")
    return grid.model_copy(
        update={"shape": (len(y), len(x)), "origin": (float(y.min()), float(x.min()))}
    )


def cut(place: Coordinates, window: tuple[slice, slice]) -> Coordinates:
    """Where the cells of a window lie."""
    y, x = place.y[window[0]], place.x[window[1]]
    return Coordinates(y, x, place.lat[window], place.lon[window])


def region_window(
    place: Coordinates, region: tuple[float, float, float, float], multiple: int = 1
) -> tuple[slice, slice]:
    """The smallest window that covers (south, west, north, east), grown to a multiple of cells."""
    south, west, north, east = region
    inside = (place.lat >= south) & (place.lat <= north)
    inside &= (place.lon - west) % 360 <= (east - west) % 360
    if not inside.any():
        lat, lon = place.lat, place.lon
        raise Incompatible(
            "REG-430",
            f"the region {region} holds no cell of the grid",
            hint=f"its cells lie between {np.nanmin(lat):.2f}, {np.nanmin(lon):.2f} "
            f"and {np.nanmax(lat):.2f}, {np.nanmax(lon):.2f}",
        )
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return (
        _span(int(rows[0]), int(rows[-1]) + 1, len(place.y), multiple),
        _span(int(columns[0]), int(columns[-1]) + 1, len(place.x), multiple),
    )


def _span(start: int, stop: int, size: int, multiple: int) -> slice:
    length = min(-(-(stop - start) // multiple) * multiple, size // multiple * multiple)
    start = min(start, size - length)
    return slice(start, start + length)


def coarsened(grid: Grid, factor: int) -> Grid:
    """The grid of means over blocks of ``factor`` by ``factor`` cells."""
    _check_factor(grid.shape, factor)
    if grid.origin is None:
        raise Incompatible("REG-430", "the grid has no fixed origin, so it has no blocks")
    y, x = (
        start + (factor - 1) / 2 * step
        for start, step in zip(grid.origin, grid.spacing, strict=True)
    )
    return grid.model_copy(
        update={
            "shape": (grid.shape[0] // factor, grid.shape[1] // factor),
            "spacing": (grid.spacing[0] * factor, grid.spacing[1] * factor),
            "origin": (y, x),
        }
    )


def _check_factor(shape: tuple[int, ...], factor: int) -> None:
    if shape[-2] % factor or shape[-1] % factor:
        raise Incompatible(
            "REG-430", f"blocks of {factor} cells do not fill {shape[-2]} x {shape[-1]} cells"
        )


def block_mean(values: Array, factor: int) -> Array:
    """The mean of each block; NaN where any cell of it is missing."""
    _check_factor(values.shape, factor)
    rows, columns = values.shape[-2] // factor, values.shape[-1] // factor
    blocks = values.reshape(*values.shape[:-2], rows, factor, columns, factor)
    mean: Array = blocks.mean(axis=(-3, -1), dtype=np.float64).astype(np.float32)
    return mean


def repeat(values: Array, factor: int) -> Array:
    """Every cell as ``factor`` by ``factor`` equal ones."""
    return values.repeat(factor, axis=-2).repeat(factor, axis=-1)


@dataclass(frozen=True)
class Bilinear:
    """Weights from one grid to the cells of another; NaN outside and beside missing cells."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    down: NDArray[np.float32]
    right: NDArray[np.float32]
    outside: NDArray[np.bool_]

    def apply(self, values: Array) -> Array:
        """``values`` of the source grid on the target grid."""
        r, c = self.row, self.column
        result = _weighted(values[..., r, c], 1 - self.down, 1 - self.right)
        for i, j, down, right in (
            (0, 1, 1 - self.down, self.right),
            (1, 0, self.down, 1 - self.right),
            (1, 1, self.down, self.right),
        ):
            result = result + _weighted(values[..., r + i, c + j], down, right)
        result = np.where(self.outside, np.nan, result)
        return np.asarray(result, dtype=np.float32)


def _weighted(corner: Array, down: Array, right: Array) -> Array:
    """A corner's share; a corner without weight does not carry its NaN over."""
    weight = down * right
    return np.where(weight == 0, 0, corner * weight)


def bilinear(y: Array, x: Array, crs: str, target: Grid) -> Bilinear:
    """How to interpolate from the axes ``y`` and ``x`` of ``crs`` to the cells of ``target``.

    The axes may be unevenly spaced and run either way.
    """
    wanted = coordinates(target)
    across, along = wanted.lon, wanted.lat
    if crs == "latlon":
        across = x[0] + (across - x[0]) % 360
    else:
        across, along = _projection(crs)(across, along)
    row, down, low = _position(along, y)
    column, right, beside = _position(across, x)
    return Bilinear(row, column, down, right, low | beside)


def _position(
    wanted: Array, axis: Array
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]:
    """The cell before each wanted point, the share of the next one, and what lies outside."""
    if len(axis) < 2:
        raise Incompatible("REG-430", "a grid of one row or column cannot be interpolated")
    sign = 1.0 if axis[-1] > axis[0] else -1.0
    slack = _BY_ROUNDING * abs(float(axis[1] - axis[0]))
    outside = (wanted < axis.min() - slack) | (wanted > axis.max() + slack) | ~np.isfinite(wanted)
    position = np.interp(sign * wanted, sign * axis, np.arange(len(axis)))
    before = np.clip(np.floor(position).astype(np.intp), 0, len(axis) - 2)
    share = np.clip(position - before, 0, 1).astype(np.float32)
    return before, share, outside


def smooth_repeat(values: Array, factor: int) -> Array:
    """Linear interpolation to ``factor`` by ``factor`` cells each; the border cells are held."""
    result = values
    for axis in (-2, -1):
        size = values.shape[axis]
        position = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
        before = np.minimum(np.floor(position).astype(np.intp), max(size - 2, 0))
        shape = (-1, 1) if axis == -2 else (-1,)
        share = (position - before).astype(np.float32).reshape(shape)
        after = np.minimum(before + 1, size - 1)
        low, high = np.take(result, before, axis), np.take(result, after, axis)
        result = np.where(share == 0, low, low * (1 - share) + high * share)
    return np.asarray(result, np.float32)
