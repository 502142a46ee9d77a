"""The Intake drivers of the catalogs: light to import, since opening a catalog imports them.

Each driver gives the canonical dataset of :mod:`wxreg.data.reading`: lexicon names and units,
float32, NaN for missing, lazily.  Their dotted paths are public: catalogs name them.

A driver finds the lexicon and the description of its dataset in the catalog folder that it was
opened from, so an entry in YAML only says where the bytes are.  Arguments are named; an unknown
one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from intake.source.base import DataSource, Schema

from wxreg.errors import UsageError
from wxreg.ids import DataRef, check_name, not_found
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import normal_moment

if TYPE_CHECKING:
    import xarray as xr

    from wxreg.data.reading import ReadRequest
    from wxreg.library.loading import Library
    from wxreg.specs.dataset import Description, Version
    from wxreg.specs.timeaxis import TimeAxis
    from wxreg.specs.variables import VariableEntry


class WeatherSource(DataSource):
    """What all drivers share: parameters checked at once, bytes touched only when read."""

    name = "weather"
    container = "xarray"
    version = "1"
    partition_access = False
    layout: ClassVar[str]

    def __init__(
        self,
        dataset: str,
        urlpath: str,
        *,
        release: str | None = None,
        product: str | None = None,
        variables: Sequence[str] = (),
        levels: Sequence[float] = (),
        start: str | None = None,
        end: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe what to read.

        ``release`` names an immutable version of the dataset, whose grid, times, levels and
        variables are then the defaults; otherwise ``variables`` must be named.  ``start`` and
        ``end`` bound the times, ``end`` excluded.
        """
        super().__init__(metadata=dict(metadata or {}))
        self.dataset_id = check_name(dataset, "dataset")
        self.urlpath = urlpath
        self.release = check_name(release, "version") if release else None
        self.product = product
        self.variables = _names(variables)
        self.levels = tuple(float(level) for level in levels)
        self.times = _times(start, end)
        self.storage_options = dict(storage_options or {})
        self._opened: xr.Dataset | None = None

    def options(self) -> Mapping[str, Any]:
        """What only this layout's reader understands."""
        return {}

    def request(self) -> ReadRequest:
        """The question that the reader of this layout is asked."""
        from wxreg.data.reading import ReadRequest

        library = _library(self.metadata)
        description = library.description(self.dataset_id)
        release = self._release(library)
        return ReadRequest(
            layout=self.layout,
            location=self.urlpath,
            entries=self._entries(library, release),
            lexicon=library.lexicon(),
            time=self._time(release.time if release else description.time),
            grid=self._grid(description, release),
            times=self.times,
            levels=self.levels or (release.levels if release else ()),
            product=self.product,
            storage_options=self.storage_options,
            options={**(release.options if release else {}), **self.options()},
        )

    def to_dask(self) -> xr.Dataset:
        """The canonical dataset, lazily."""
        if self._opened is None:
            from wxreg.data.reading import open_source

            self._opened = open_source(self.request())
        return self._opened

    def read(self) -> xr.Dataset:
        """The canonical dataset, in memory."""
        return self.to_dask().load()

    def _get_schema(self) -> Schema:
        opened = self.to_dask()
        return Schema(
            datashape=None,
            dtype=None,
            shape=None,
            npartitions=opened.sizes.get("time", 1),
            extra_metadata={
                "variables": sorted(map(str, opened.data_vars)),
                "sizes": {str(name): size for name, size in opened.sizes.items()},
            },
        )

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    def _release(self, library: Library) -> Version | None:
        if self.release is None:
            return None
        return library.version(DataRef(self.dataset_id, self.release))

    def _entries(self, library: Library, release: Version | None) -> tuple[VariableEntry, ...]:
        table = library.entries(self.dataset_id)
        known = [entry.id for entry in table]
        wanted = self.variables
        if release and not wanted:
            held = {entry.id for entry in table if entry.held_by(self.product)}
            wanted = tuple(name for name in release.variables if name in held)
        if not wanted:
            raise UsageError(
                "REG-230",
                f"say which variables of {self.dataset_id} to read",
                where=self.urlpath,
                hint=f"variables=[...] of: {', '.join(known)}",
            )
        for name in wanted:
            if name not in known:
                raise not_found("variable", name, known, code="REG-302")
        return tuple(entry for entry in table if entry.id in wanted)

    def _time(self, axis: TimeAxis) -> TimeAxis:
        cadence = self.metadata.get("cadence")
        if not cadence:
            return axis
        return axis.model_copy(update={"cadence": Duration.parse(cadence)})

    def _grid(self, description: Description, release: Version | None) -> Any:
        notes = self.metadata.get("grid")
        if release is not None and release.grid is not None:
            return release.grid
        if notes is None:
            return description.grid
        from wxreg.specs.grid import Grid

        return Grid.model_validate_json(_json(notes))


class HRRRGrib(WeatherSource):
    """HRRR as GRIB2 files with indexes, in the layout of NOAA's buckets."""

    name = "hrrr-grib"
    layout = "hrrr-grib"


class HRRRZarr(WeatherSource):
    """HRRR analyses as the University of Utah stores them: one Zarr group per variable."""

    name = "hrrrzarr"
    layout = "hrrrzarr"


class SEVIR(WeatherSource):
    """SEVIR events: HDF5 files with their catalogue."""

    name = "sevir-hdf5"
    layout = "sevir-hdf5"


class WRFZarr(WeatherSource):
    """A WRF run as Zarr (CONUS404): projected coordinates, grid-relative winds."""

    name = "wrf-zarr"
    layout = "wrf-zarr"


class ARCOZarr(WeatherSource):
    """ERA5 as the analysis-ready, cloud-optimised Zarr store."""

    name = "arco-zarr"
    layout = "arco-zarr"


class CDSNetCDF(WeatherSource):
    """ERA5 as NetCDF files from the Climate Data Store."""

    name = "cds-netcdf"
    layout = "cds-netcdf"


class PlainGrib(WeatherSource):
    """GRIB files on one regular grid, such as ERA5 from the Climate Data Store."""

    name = "grib"
    layout = "grib"


class CFZarr(WeatherSource):
    """Any Zarr store that follows the CF conventions."""

    name = "cf-zarr"
    layout = "cf-zarr"


class CFNetCDF(WeatherSource):
    """NetCDF files that follow the CF conventions."""

    name = "cf-netcdf"
    layout = "cf-netcdf"


class PRISMRaster(WeatherSource):
    """PRISM daily rasters, in their zip files."""

    name = "prism-raster"
    layout = "prism-raster"


class GHCNDaily(WeatherSource):
    """GHCN-Daily station files."""

    name = "ghcn-daily"
    layout = "ghcn-daily"


class CMIP6(WeatherSource):
    """CMIP6 stores chosen from a catalogue by its columns."""

    name = "cmip6-catalogue"
    layout = "cmip6-catalogue"

    def __init__(
        self,
        dataset: str,
        urlpath: str,
        *,
        source_id: str | None = None,
        experiment_id: str | None = None,
        member_id: str | None = None,
        table_id: str | None = None,
        grid_label: str | None = None,
        institution_id: str | None = None,
        activity_id: str | None = None,
        catalogue_version: str | None = None,
        release: str | None = None,
        variables: Sequence[str] = (),
        levels: Sequence[float] = (),
        start: str | None = None,
        end: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Choose by the catalogue's columns; ``catalogue_version`` is its column ``version``."""
        super().__init__(
            dataset,
            urlpath,
            release=release,
            variables=variables,
            levels=levels,
            start=start,
            end=end,
            storage_options=storage_options,
            metadata=metadata,
        )
        chosen = {
            "source_id": source_id,
            "experiment_id": experiment_id,
            "member_id": member_id,
            "table_id": table_id,
            "grid_label": grid_label,
            "institution_id": institution_id,
            "activity_id": activity_id,
            "version": catalogue_version,
        }
        self._columns = {key: value for key, value in chosen.items() if value}

    def options(self) -> Mapping[str, Any]:
        """The chosen value of each named column."""
        return self._columns


def _names(variables: Sequence[str]) -> tuple[str, ...]:
    if isinstance(variables, str):
        raise UsageError(
            "REG-200", f"variables are a list, not the text {variables!r}", hint="variables=['t2m']"
        )
    return tuple(variables)


def _times(start: str | None, end: str | None) -> tuple[str, str] | None:
    if not start and not end:
        return None
    if not (start and end):
        raise UsageError("REG-200", "give both start and end, or neither")
    try:
        bounds = normal_moment(start), normal_moment(end)
    except ValueError as error:
        raise UsageError("REG-200", str(error)) from error
    if bounds[0] >= bounds[1]:
        raise UsageError("REG-200", f"the end {bounds[1]} does not lie after {bounds[0]}")
    return bounds


def _library(metadata: Mapping[str, Any]) -> Library:
    from pathlib import Path

    from wxreg.library.loading import Library
    from wxreg.library.workspace import find_workspace

    folder = metadata.get("catalog_dir")
    return Library(Path(folder).resolve().parent) if folder else Library(find_workspace())


def _json(values: Any) -> str:
    import json

    return json.dumps(values)
