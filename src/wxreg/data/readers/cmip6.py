"""CMIP6 through the Pangeo catalogue, or from a folder that has a catalogue beside its stores.

``request.options`` names columns of the catalogue (``source_id``, ``experiment_id`` …); each
variable must come to exactly one store.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pandas as pd
import xarray as xr

from wxreg.data.readers.cf_files import Piece
from wxreg.data.readers.cf_netcdf import assemble
from wxreg.data.readers.cmip6_catalogue import one_store, read_catalogue
from wxreg.data.reading import ReadRequest
from wxreg.errors import Incompatible
from wxreg.specs.variables import VariableEntry


class Cmip6:
    """Reads the layout ``cmip6-catalogue``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The wanted variables of one run of one model, in the model's own calendar."""
        table = read_catalogue(request.location, request.storage_options)
        pieces = {
            entry.id: _pieces(store_of(table, request, entry), request) for entry in request.entries
        }
        return assemble(request, pieces)


def store_of(table: pd.DataFrame, request: ReadRequest, entry: VariableEntry) -> str:
    """The one store of a variable, as the catalogue names it."""
    columns = {name: str(value) for name, value in request.options.items() if value}
    return one_store(table, columns | _columns_of(request, entry))


def public_url(store: str) -> str:
    """Where a store of a public bucket is read; Google's buckets are, over plain HTTP."""
    return store.replace("gs://", "https://storage.googleapis.com/", 1)


def _columns_of(request: ReadRequest, entry: VariableEntry) -> dict[str, str]:
    selector = entry.zarr or entry.netcdf
    if selector is None:
        raise Incompatible("REG-437", f"{entry.id} has no CMIP6 selector", where=request.location)
    table = {"table_id": selector.group} if selector.group else {}
    return {"variable_id": selector.name, **table}


def _pieces(store: str, request: ReadRequest) -> list[Piece]:
    """The store, or every NetCDF file of a folder that the catalogue names."""
    storage = json.dumps(request.storage_options, sort_keys=True)
    if "://" in store:
        return [Piece(public_url(store).rstrip("/"), storage)]
    root = Path(request.location)
    place = (root if root.is_dir() else root.parent) / store
    files = sorted(place.glob("*.nc")) if place.is_dir() else []
    return [Piece(str(path)) for path in files] or [Piece(str(place))]
