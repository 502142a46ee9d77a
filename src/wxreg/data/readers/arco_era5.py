"""ARCO-ERA5: one Zarr store whose time axis is padded with NaN beyond the data.

The attributes say where the data end: ``valid_time_stop`` for the final ones and
``valid_time_stop_era5t`` for the provisional tail, which is read and marked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import xarray as xr

from wxreg.data.clock import moments_of
from wxreg.data.readers.array_dataset import canonical_from_arrays
from wxreg.data.readers.cf_zarr import at_store, open_zarr, without_absent_chunks, zarr_selector
from wxreg.data.reading import ReadRequest
from wxreg.errors import Incompatible, NotFound


class ArcoEra5:
    """Reads the layout ``arco-zarr``; ``provisional_times`` lists what may still be revised."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset, cut where its data end."""
        request = at_store(request)
        opened = open_zarr(request)
        final, last = (
            _stop(opened, name, request.location)
            for name in ("valid_time_stop", "valid_time_stop_era5t")
        )
        if final is None:
            raise Incompatible(
                "REG-430",
                "the store does not say where its data end (valid_time_stop)",
                where=request.location,
            )
        moments = moments_of(opened["time"].values)
        end = max(final, last or final)
        real = np.flatnonzero([moment <= end for moment in moments])
        if not real.size:
            raise NotFound("REG-330", f"the data end at {end}", where=request.location)
        cut = opened.isel(time=real)
        made = canonical_from_arrays(_until(request, moments, end), cut, zarr_selector)
        made = without_absent_chunks(request, opened, made)
        tail = [moment for moment in moments_of(made["time"].values) if moment > final]
        return made.assign_attrs(provisional_times=tail)


def _stop(opened: xr.Dataset, name: str, where: str) -> str | None:
    """The last minute that an attribute names; a date alone means its whole day."""
    text = opened.attrs.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise Incompatible("REG-430", f"{name} is {text!r}, not a date", where=where)
    return f"{text}T23:59" if len(text) == 10 else text.replace(" ", "T")[:16]


def _until(request: ReadRequest, moments: list[str], end: str) -> ReadRequest:
    """The request with a period that does not reach into the padding."""
    if request.times is None:
        return request
    after = [moment for moment in moments if moment > end]
    first, last = request.times
    stop = min(last, after[0]) if after else last
    if stop <= first:
        raise NotFound("REG-330", f"the data end at {end}, before {first}", where=request.location)
    return replace(request, times=(first, stop))
