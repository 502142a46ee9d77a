"""The one door to every source of data: a request in, a lazy canonical dataset out.

A reader returns an xarray dataset with lexicon variable ids in canonical units, float32, NaN
where a value is missing, and dimensions ``(time, [level,] y, x)``, or ``([level,] y, x)`` for a
static variable.  A dask chunk is one time of one variable, or the times that the source stores
together.  Rows are in the order of the source and winds point as the source stores them;
attributes say how, so that preparation can turn them:

* ``rows``: ``south-to-north`` or ``north-to-south``;
* ``winds``: ``grid-relative`` or ``earth-relative``;
* ``missing_times``: times of the axis (``2023-06-01T00:00``) that no file has;
* ``missing_fields``: by variable, the times that only this variable lacks;
* ``left_out``: how much the source lists and the dataset has not, by reason.

Where data are separate events that may overlap, a missing time is written with its segment
(``2023-06-01T00:00#3``).

Missing times stay on the axis, filled with NaN.  Coordinates: ``time``, 1-D ``y`` and ``x``
(metres or degrees), 2-D ``lat`` and ``lon``; ``segment`` (int32, on ``time``) where data are
separate events.  A variable of another resolution over the same extent keeps its own last two
dimensions, named ``y_<id>`` and ``x_<id>``; preparation brings it to the common grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from wxreg.data.patience import patiently
from wxreg.errors import Incompatible, UsageError
from wxreg.ids import not_found
from wxreg.leadtime import Duration
from wxreg.specs.architecture import READERS
from wxreg.specs.grid import Grid
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import Variable, VariableEntry

if TYPE_CHECKING:
    import xarray as xr

_ARCHIVES: Final = ("hrrr-grib",)
CELL_LIMIT: Final = 100_000_000
"""The most cells one field may claim to have before it is decoded."""


@dataclass(frozen=True)
class ReadRequest:
    """What is wanted of one source; everything a reader needs, parsed and chosen already."""

    layout: str
    location: str
    """A local path or URL: the root under which the layout's own names begin."""
    entries: tuple[VariableEntry, ...]
    """The chosen variables; one id may stand twice if ``since`` and ``until`` keep them apart."""
    lexicon: Mapping[str, Variable]
    """The canonical variables by id, at least those of ``entries``."""
    time: TimeAxis
    grid: Grid | None = None
    times: tuple[str, str] | None = None
    """The times from the first up to, not including, the second; none for all there are."""
    forecast: Duration | None = None
    """The lead of the archived forecast that is wanted, at its initial times; none for the
    state."""
    levels: tuple[float, ...] = ()
    """In hPa, metres or model levels, as the lexicon says; needed by variables on levels."""
    product: str | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    """Given to fsspec for a remote location."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What one layout alone understands, such as a CMIP6 model name."""
    damage_record: Path | None = None
    """A file in which a reader remembers what it found damaged, so that it is tried once."""
    cell_limit: int = CELL_LIMIT

    def variable(self, entry: VariableEntry) -> Variable:
        """The canonical variable that an entry maps onto."""
        try:
            return self.lexicon[entry.id]
        except KeyError:
            raise not_found("variable", entry.id, self.lexicon, code="REG-302") from None


class Reader(Protocol):
    """Reads one layout.  ``semantics`` is raised when the same bytes give other values."""

    semantics: ClassVar[int]

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The dataset of the module's description, lazily."""


def open_source(request: ReadRequest) -> xr.Dataset:
    """Open ``request`` with the reader of its layout."""
    if not request.entries:
        raise UsageError("REG-230", "no variable was asked for", where=request.location)
    if request.forecast is not None and request.layout not in _ARCHIVES:
        raise Incompatible(
            "REG-430",
            f"a source in the layout {request.layout} holds no archived forecasts",
            where=request.location,
            hint=f"layouts that do: {', '.join(_ARCHIVES)}",
        )
    reader: Reader = READERS.find(request.layout).load()()
    return patiently(lambda: reader.open(request), request.location)


def reader_semantics(layout: str) -> int:
    """The number that a plan records for the reader of ``layout``."""
    return READERS.find(layout).semantics
