"""Which reader reads which layout; a table of import strings, readable without importing any.

A distribution adds a reader through the entry-point group ``wxreg.readers``, named by layout.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final

from wxreg.ids import not_found

READERS: Final = MappingProxyType(
    {
        "hrrr-grib": "wxreg.data.readers.hrrr_grib:HrrrGrib",
        "hrrrzarr": "wxreg.data.readers.hrrrzarr:HrrrZarr",
        "cf-zarr": "wxreg.data.readers.cf_zarr:CfZarr",
        "arco-zarr": "wxreg.data.readers.arco_era5:ArcoEra5",
        "wrf-zarr": "wxreg.data.readers.wrf_zarr:WrfZarr",
        "cds-netcdf": "wxreg.data.readers.cds_netcdf:CdsNetcdf",
        "cf-netcdf": "wxreg.data.readers.cf_netcdf:CfNetcdf",
        "grib": "wxreg.data.readers.era5_grib:Era5Grib",
        "sevir-hdf5": "wxreg.data.readers.sevir:Sevir",
        "cmip6-catalogue": "wxreg.data.readers.cmip6:Cmip6",
        "prism-raster": "wxreg.data.readers.prism_raster:PrismRaster",
        "ghcn-daily": "wxreg.data.readers.ghcn_daily:GhcnDaily",
        "canonical": "wxreg.data.stores:CanonicalReader",
    }
)


def reader_class(layout: str) -> Any:
    """The class that reads ``layout``: ours, or a plug-in's when the name is not ours."""
    if layout in READERS:
        module, _, name = READERS[layout].partition(":")
        return getattr(import_module(module), name)
    plugins = {point.name: point for point in entry_points(group="wxreg.readers")}
    if layout in plugins:
        return plugins[layout].load()
    raise not_found("reader", layout, [*READERS, *plugins], code="REG-330")
