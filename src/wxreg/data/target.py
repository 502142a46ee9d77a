"""From a reader's dataset to the common grid: north-up, earth-relative, cropped, resampled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data import grids
from wxreg.errors import Incompatible
from wxreg.specs.grid import Grid

Fields = dict[str, NDArray[np.float32]]
_METRES: Final = 111e3
"""Metres of a degree of latitude."""
_NEAR: Final = 0.1
"""How far a cell may lie from where its grid puts it, in cells."""


@dataclass(frozen=True)
class Target:
    """Where the cells of the prepared store lie."""

    region: tuple[float, float, float, float] | None = None
    """South, west, north, east in degrees: the smallest window of the grid that covers it."""
    multiple: int = 1
    """Grow the region to a multiple of so many cells a side."""
    block: int = 1
    """Average over blocks of so many cells a side."""
    grid: Grid | None = None
    """Interpolate bilinearly to this grid in the end."""
    coarser: Literal["repeat", "bilinear"] = "repeat"
    """How a variable of coarser resolution than the others is brought to theirs."""

    def body(self) -> dict[str, Any]:
        """Its plain form, for identity."""
        return {**asdict(self), "grid": self.grid.body() if self.grid else None}


class Placement:
    """Brings the fields of one source to one target."""

    def __init__(self, source: xr.Dataset, grid: Grid | None, target: Target) -> None:
        self.target = target
        self.rows: str = source.attrs["rows"]
        self.winds: str = source.attrs["winds"]
        self.common = (source.sizes["y"], source.sizes["x"])
        self.source_grid = _located(source, grid)
        self.window = (slice(None), slice(None))
        place = _source_place(source, self.rows)
        if target.region is not None:
            if np.isnan(place.lat).all():
                raise Incompatible(
                    "REG-430",
                    "a region needs a source whose cells keep their place",
                    hint="leave --region out",
                )
            self.window = grids.region_window(place, target.region, target.multiple)
        self.grid, self.place = self._target(place)
        self._bilinear = None
        if target.grid is not None:
            crs = grid.crs if grid is not None else "latlon"
            self._bilinear = grids.bilinear(place.y, place.x, crs, self._final(target.grid))

    def _known(self) -> Grid:
        if self.source_grid is None:
            raise Incompatible("REG-430", "blocks need a source on a regular grid")
        return grids.turned_north_up(self.source_grid)

    def _target(self, place: grids.Coordinates) -> tuple[Grid | None, grids.Coordinates]:
        if self.target.grid is not None:
            final = self._final(self.target.grid)
            return final, grids.coordinates(final)
        known = self._known() if self.source_grid else None
        if self.target.block == 1 and (known is None or self.target.region is None):
            return known, grids.cut(place, self.window)
        made = grids.coarsened(grids.crop_to(self._known(), self.window), self.target.block)
        return made, grids.coordinates(made)

    @staticmethod
    def _final(grid: Grid) -> Grid:
        return grids.turned_north_up(grid)

    def apply(self, values: Fields, pair: tuple[str, str] | None) -> Fields:
        """Fields of one time: ``pair`` names the components of a vector among them."""
        common = {name: self._resampled(field) for name, field in values.items()}
        if pair and self.winds == "grid-relative":
            if self.source_grid is None:
                raise Incompatible("REG-430", "turning winds needs the grid they are relative to")
            u, v = grids.to_earth(common[pair[0]], common[pair[1]], self.source_grid)
            common = {**common, pair[0]: u, pair[1]: v}
        return {name: self._placed(field) for name, field in common.items()}

    def _resampled(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """A field of another resolution over the same extent, on the common cells."""
        have, want = field.shape[-2:], self.common
        if have == want:
            return field
        if have[0] % want[0] == 0 and have[0] // want[0] == have[1] / want[1]:
            return grids.block_mean(field, have[0] // want[0])
        if want[0] % have[0] == 0 and want[0] // have[0] == want[1] / have[1]:
            factor = want[0] // have[0]
            if self.target.coarser == "repeat":
                return grids.repeat(field, factor)
            return grids.smooth_repeat(field, factor)
        raise Incompatible("REG-430", f"{have} cells do not fit into {want} by a whole factor")

    def _placed(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = grids.north_up(field, self.rows)
        if self._bilinear is not None:
            return self._bilinear.apply(turned)
        cut = turned[..., self.window[0], self.window[1]]
        return grids.block_mean(cut, self.target.block) if self.target.block > 1 else cut


def _located(source: xr.Dataset, grid: Grid | None) -> Grid | None:
    """The grid of a source; an origin that the catalog leaves out is that of its coordinates.

    None where the grid moves, or where its cells do not lie where the source says.
    """
    if grid is None or grid.origin is not None:
        return grid
    y, x = (np.asarray(source[name].values, np.float64) for name in ("y", "x"))
    if "lat" not in source.coords or (len(y), len(x)) != grid.shape:
        return None
    found = grid.model_copy(update={"origin": (float(y.min()), float(x.min()))})
    place = grids.coordinates(found)
    degree = 1.0 if grid.units == "degree" else _METRES
    near = _NEAR * min(grid.spacing) / degree
    lat, lon = (np.asarray(source[name].values, np.float64) for name in ("lat", "lon"))
    away = np.maximum(np.abs(lat - place.lat), np.abs((lon - place.lon + 180) % 360 - 180))
    return found if away.max() < near else None


def _source_place(source: xr.Dataset, rows: str) -> grids.Coordinates:
    """The coordinates of a reader's dataset, turned north-up; NaN where it has none."""
    shape = (source.sizes["y"], source.sizes["x"])
    turn = slice(None, None, -1) if rows == "south-to-north" else slice(None)
    planes = [
        np.asarray(source[name].values, np.float64)[turn]
        if name in source.coords
        else np.full(shape, np.nan)
        for name in ("lat", "lon")
    ]
    y = np.asarray(source["y"].values, np.float64)[turn]
    return grids.Coordinates(y, np.asarray(source["x"].values, np.float64), *planes)
