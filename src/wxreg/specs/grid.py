"""Where the cells of a dataset lie."""

from typing import Literal, Self

from pydantic import model_validator

from wxreg.specs.base import Spec


class Grid(Spec):
    """A regular grid in a projected or geographic coordinate system."""

    crs: str
    """A PROJ string, or ``latlon`` for geographic coordinates in degrees."""
    shape: tuple[int, int]
    """Rows and columns."""
    spacing: tuple[float, float]
    """Distance of rows and of columns, in ``units``, both positive."""
    origin: tuple[float, float] | None = None
    """``(y, x)`` of the centre of the southernmost, westernmost cell; none if it moves."""
    units: Literal["m", "degree"] = "m"
    rows: Literal["south-to-north", "north-to-south"] = "south-to-north"
    """The order in which the source stores rows."""
    winds: Literal["grid-relative", "earth-relative"] = "earth-relative"
    """What the components of declared vectors point along in the source."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if min(*self.shape) < 1 or min(*self.spacing) <= 0:
            raise ValueError("a grid needs positive shape and spacing")
        return self

    @property
    def cells(self) -> int:
        """How many cells one field has."""
        return self.shape[0] * self.shape[1]
