"""NetCDF of the new Climate Data Store: ``valid_time``, ``expver`` and scalar ``number``.

Instantaneous and accumulated variables come in two files; a folder of files is read as one.
Times with ``expver`` 0005 are ERA5T: provisional, and marked.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from wxreg.data.clock import moments_of
from wxreg.data.readers.array_dataset import canonical_from_arrays
from wxreg.data.reading import ReadRequest
from wxreg.errors import IntegrityError, NotFound
from wxreg.specs.variables import ArraySelector, VariableEntry

_PROVISIONAL = "0005"


class CdsNetcdf:
    """Reads the layout ``cds-netcdf``; ``provisional_times`` lists what may still be revised."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset of one file, or of the files of a folder joined on their times."""
        root = Path(request.location)
        paths = sorted(root.glob("*.nc")) if root.is_dir() else [root]
        if not paths or not paths[0].is_file():
            raise NotFound("REG-301", "no NetCDF file is here", where=request.location)
        parts = [_open(path) for path in paths]
        provisional = sorted({moment for part in parts for moment in _provisional(part)})
        joined = _join(
            [part.drop_vars(["expver", "number"], errors="ignore") for part in parts],
            request.location,
        )
        made = canonical_from_arrays(request, joined, _selector)
        inside = set(moments_of(made["time"].values))
        return made.assign_attrs(provisional_times=[m for m in provisional if m in inside])


def _selector(entry: VariableEntry) -> ArraySelector | None:
    return entry.netcdf


def _open(path: Path) -> xr.Dataset:
    try:
        opened: xr.Dataset = xr.open_dataset(path, engine="h5netcdf", chunks={})
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise IntegrityError(
            "REG-530",
            f"the NetCDF file is damaged: {error}",
            where=str(path),
            hint="fetch the file again",
        ) from error
    return opened


def _provisional(part: xr.Dataset) -> list[str]:
    if "expver" not in part.variables or part["expver"].ndim != 1:
        return []
    late = np.asarray(part["expver"].values).astype(str) == _PROVISIONAL
    return moments_of(part["valid_time"].values[late])


def _join(parts: list[xr.Dataset], where: str) -> xr.Dataset:
    try:
        return xr.merge(parts, join="outer", compat="no_conflicts", combine_attrs="drop_conflicts")
    except (xr.MergeError, ValueError) as error:
        raise IntegrityError(
            "REG-531", f"the files of this folder contradict each other: {error}", where=where
        ) from error
