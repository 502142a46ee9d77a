"""A dataset: what it is, where it can be read from, and its immutable versions."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from wxreg.ids import DatasetRef, EntryId, Sha256, VariableId, VersionName
from wxreg.leadtime import DurationField
from wxreg.specs.base import Entry, FrozenDict, Settings, Spec, freeze
from wxreg.specs.grid import Grid
from wxreg.specs.licence import Licence
from wxreg.specs.timeaxis import Moment, Period, Splits, TimeAxis
from wxreg.specs.variables import VariableEntry

Layout = Literal[
    "hrrr-grib",
    "hrrrzarr",
    "cf-zarr",
    "arco-zarr",
    "wrf-zarr",
    "cds-netcdf",
    "cf-netcdf",
    "grib",
    "sevir-hdf5",
    "cmip6-catalogue",
    "prism-raster",
    "ghcn-daily",
    "canonical",
    "description",
]
"""How the bytes are arranged; a reader knows each one."""


class SourceNotes(Spec):
    """What our readers need to know of a source beyond what its driver does."""

    layout: Layout
    access: Literal["public", "embedded", "local", "registered"]
    product: str | None = None
    """Which product of the dataset this is (``sfc``, ``daily`` …); none for the whole."""
    period: Period | None = None
    cadence: DurationField | None = None
    """Where this product's cadence differs from the dataset's."""
    grid: Grid | None = None
    """Where this source's grid differs from the dataset's."""
    files: tuple[str, ...] = ()
    """What ``reg data fetch`` brings: the archive's names, with ``strftime`` codes of the time."""
    every: DurationField | None = None
    """How far apart the times of ``files`` are; none where a name does not depend on a time."""
    note: str | None = None


class Source(Spec):
    """One Intake source: a driver with its arguments, and what we know of the place."""

    driver: str
    description: str
    args: Settings = FrozenDict()
    parameters: Settings = FrozenDict()
    """What a user may choose when opening it: Intake's user parameters."""
    metadata: SourceNotes


class QualityRule(Spec):
    """A known fault of a dataset and what is done about it."""

    variables: tuple[VariableId, ...]
    rule: Literal["range", "sentinel", "frozen", "regime-change", "missing", "units", "bad-at-f00"]
    what: str
    period: Period | None = None
    action: Literal["mask", "refuse", "warn", "convert"] = "warn"
    """``mask`` makes values missing when a store is prepared, those outside ``valid``."""
    valid: tuple[float | None, float | None] | None = None
    """Which values stay, in the lexicon's units; none for the variable's own range."""

    @model_validator(mode="after")
    def _can_be_masked(self) -> Self:
        if self.action == "mask" and self.rule not in ("range", "bad-at-f00", "missing"):
            raise ValueError(f"a rule of {self.rule!r} does not say which values to mask")
        if self.valid is not None and self.action != "mask":
            raise ValueError("only a rule that masks says which values are valid")
        return self


class View(Spec):
    """One way to prepare a dataset: the variables, cadence and kind of grid of a store.

    The grid itself is written out in each version, so that a plan needs no projection.
    """

    title: str
    variables: tuple[VariableId, ...] = ()
    """Variables of the store, derived ones included; empty for all that the version has."""
    levels: tuple[float, ...] = ()
    """Levels of levelled variables; empty for all that the version has."""
    product: str | None = None
    """Which product of the source it is made from."""
    cadence: DurationField | None = None
    """Where it differs from the dataset's: sums and extremes are formed over it."""
    regrid: Literal["none", "bilinear", "block-mean"] = "none"
    """How values reach the grid that the version gives for this view."""
    forecast: DurationField | None = None
    """The lead of the producer's own archived forecast, kept at the time it started from."""


class Description(Entry):
    """What a catalog file says about its dataset, beyond its Intake sources (``metadata.reg``)."""

    KIND: ClassVar[str] = "dataset"

    id: EntryId
    title: str
    producer: str
    licence: Licence
    citation: tuple[str, ...]
    role: Literal["input", "target", "observation", "both"] = "both"
    free_running: bool = False
    """A climate model that follows no real weather: its days are days of no other dataset."""
    grid: Grid | None
    """None for stations, or where every source has a grid of its own."""
    time: TimeAxis
    variables: tuple[VariableEntry, ...] = ()
    """The variable table; beyond 50 rows it is in ``catalog/<id>/variables.yaml``."""
    views: Annotated[dict[str, View], AfterValidator(freeze)] = FrozenDict()
    """Named ways to prepare it, beside ``native``."""
    splits: Splits | None = None
    final_after: DurationField | None = None
    """How long after its time a value may still be revised."""
    quality: tuple[QualityRule, ...] = ()
    gaps: Literal["refuse", "interpolate", "previous", "mark"] = "mark"
    """What preparation does about missing times."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        seen: set[str] = set()
        for entry in self.variables:
            if entry.id in seen:
                raise ValueError(f"variable {entry.id} is mapped twice")
            seen.add(entry.id)
        return self


class VariableTable(Entry):
    """The variable table of one dataset, where it is long."""

    KIND: ClassVar[str] = "variables"

    dataset: EntryId
    variables: tuple[VariableEntry, ...]


class Version(Entry):
    """An immutable, content-pinned snapshot of a dataset."""

    KIND: ClassVar[str] = "version"

    id: DatasetRef
    title: str
    layout: Layout
    content: Sha256
    """SHA-256 tree digest of the bytes: their integrity."""
    files: int
    bytes: int
    pin: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}(\.dir)?$")] | None = None
    """The address (DVC's md5) it was released with."""
    grid: Grid | None = None
    """Where it differs from the dataset's (a crop, or a regridded store)."""
    time: TimeAxis
    splits: Splits
    variables: tuple[VariableId, ...]
    levels: tuple[float, ...] = ()
    products: tuple[str, ...] = ()
    """Which products of the dataset it holds, in the order of preference."""
    views: Annotated[dict[str, Grid], AfterValidator(freeze)] = FrozenDict()
    """The grid of each view of the dataset that this version supports."""
    options: Settings = FrozenDict()
    """What the reader of the layout is told besides, such as the run of a CMIP6 model."""
    provisional: Period | None = None
    """Times that the producer may still revise."""
    gaps: tuple[Moment, ...] = ()
    """Times that are known to be missing."""
    faults: tuple[str, ...] = ()
    """Known faults, in a person's words."""
    fixes: VersionName | None = None
    """The version whose faults this one repairs."""
    licence: Licence | None = None
    """Where it differs from the dataset's."""

    @property
    def dataset(self) -> str:
        """The dataset it is a version of."""
        return self.id.partition("@")[0]

    @property
    def name(self) -> str:
        """Its name within the dataset."""
        return self.id.partition("@")[2]
