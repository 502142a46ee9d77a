"""CONUS404 and other WRF output as Zarr: rows and columns by WRF's names, grid-relative winds.

Its sphere has a radius of 6,370,000 m; the grid of the catalog says so.  Hourly precipitation
buckets end at their time, and sums over more hours are derived variables.
"""

from __future__ import annotations

from typing import ClassVar

import xarray as xr

from wxreg.data.readers.array_dataset import canonical_from_arrays
from wxreg.data.readers.cf_zarr import at_store, open_zarr, without_absent_chunks, zarr_selector
from wxreg.data.reading import ReadRequest
from wxreg.errors import UsageError


class WrfZarr:
    """Reads the layout ``wrf-zarr``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset; winds are left as the grid declares them, for preparation to turn."""
        if request.grid is None:
            raise UsageError(
                "REG-230", "WRF output needs the grid of its catalog entry", where=request.location
            )
        request = at_store(request)
        opened = open_zarr(request)
        made = canonical_from_arrays(request, opened, zarr_selector)
        return without_absent_chunks(request, opened, made)
