"""The lexicon: canonical variables, and how a dataset's own names map onto them."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from wxreg.ids import VariableId
from wxreg.leadtime import DurationField
from wxreg.specs.base import Entry, Spec
from wxreg.specs.timeaxis import Moment

Kind = Literal["instant", "accumulation", "mean", "maximum", "minimum", "static"]
TransformName = Literal["identity", "log1p", "sqrt", "logit", "clip"]


class Derivation(Spec):
    """How a variable is computed on read from others."""

    formula: str
    """The name of the function in ``wxreg.data.derived``."""
    inputs: tuple[VariableId, ...]
    window: DurationField | None = None
    """The span that a running sum or extreme covers."""


class Variable(Spec):
    """One canonical variable."""

    id: VariableId
    long_name: str
    units: str
    kind: Kind = "instant"
    standard_name: str | None = None
    """Its CF standard name, where CF has one."""
    window: DurationField | None = None
    """The span of an accumulation, mean or extreme; none for the dataset's own cadence."""
    range: tuple[float | None, float | None] = (None, None)
    """The physically possible range in ``units``; values outside are findings."""
    transform: TransformName = "identity"
    """What is applied before normalisation."""
    levels: Literal["none", "pressure", "height", "hybrid"] = "none"
    vector: Literal["x", "y"] | None = None
    partner: VariableId | None = None
    """The other component of a vector."""
    symmetry: Literal["any", "turns", "none"] = "any"
    """Whether a field may be mirrored and turned: what has a handedness (helicity) may only be
    turned, a direction in degrees neither; components of vectors follow their vector."""
    derived: Derivation | None = None
    colours: Literal["reflectivity", "sequential", "diverging", "rain", "terrain"] = "sequential"
    """The family of colours that figures use."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.vector is None) != (self.partner is None):
            raise ValueError(f"{self.id}: a vector component names its partner, and only it does")
        return self


class Lexicon(Entry):
    """Every canonical variable."""

    KIND: ClassVar[str] = "lexicon"

    variables: tuple[Variable, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        seen: set[str] = set()
        for variable in self.variables:
            if variable.id in seen:
                raise ValueError(f"variable {variable.id} is described twice")
            seen.add(variable.id)
        return self

    def by_id(self) -> dict[str, Variable]:
        """The variables by name."""
        return {variable.id: variable for variable in self.variables}


class GribSelector(Spec):
    """Which GRIB2 message holds a variable: exactly one must match."""

    discipline: int
    category: int
    number: int
    level_type: int
    """Code of the first fixed surface (GRIB2 table 4.5)."""
    level: float | None = None
    """Value of the surface in its own unit; none where the surface has no value."""
    bounds: tuple[float, float] | None = None
    """(bottom, top) of a layer, whichever order the file has."""
    level_type_2: int | None = None
    """Code of the second fixed surface of a layer, where it differs from the first."""
    levels: bool = False
    """Whether the variable exists on many levels of this type."""
    step: Literal["instant", "accumulated", "maximum", "minimum", "average"] = "instant"
    window: DurationField | None = None
    """The span that an accumulation or extreme covers."""
    product: Literal["sfc", "prs", "nat", "subh"] = "sfc"
    """Which file of the model it is in."""
    also: tuple[Literal["sfc", "prs", "nat", "subh"], ...] = ()
    """Other files of the model that hold it under the same selector."""
    idx: str | None = None
    """``VAR:level text`` as a wgrib2 index prints it; ``{level}`` stands for each of many."""
    local_version: int | None = None


class ArraySelector(Spec):
    """Which array of a Zarr store, NetCDF file, HDF5 file, raster or table holds a variable."""

    name: str
    group: str | None = None
    """The group, file type or file stem that holds the array."""
    level: float | None = None
    decode: str | None = None
    """The name of a value decoding, such as ``sevir-vil``."""


class Sentinel(Spec):
    """A stored value that is not a measurement."""

    value: float
    means: Literal["missing", "no-echo", "below-range", "zero"]
    becomes: float | None = None
    """What stands for it in canonical units; none for missing."""


class VariableEntry(Spec):
    """How one dataset holds one canonical variable."""

    id: VariableId
    units: str
    """The units as stored, after the decoding named by a selector."""
    grib: GribSelector | None = None
    zarr: ArraySelector | None = None
    hrrrzarr: ArraySelector | None = None
    netcdf: ArraySelector | None = None
    hdf5: ArraySelector | None = None
    table: ArraySelector | None = None
    raster: ArraySelector | None = None
    sentinels: tuple[Sentinel, ...] = ()
    since: Moment | None = None
    until: Moment | None = None
    """The time from which the archive no longer has it under this selector."""
    analysis: bool = True
    """Whether the forecast hour 0 has it; else it comes from one step later, one hour earlier."""
    note: str | None = None

    def held_by(self, product: str | None) -> bool:
        """Whether a product of the dataset holds it; any may where none is named."""
        if product is None:
            return True
        if self.grib is not None:
            return product in (self.grib.product, *self.grib.also)
        return self.zarr is None or self.zarr.group in (None, product)
