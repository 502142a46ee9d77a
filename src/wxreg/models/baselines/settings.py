"""The settings of the baselines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wxreg.models.settings import Positive
from wxreg.specs.base import Spec


class PlaceSettings(Spec):
    """Whether each cell has its own climate."""

    by_place: bool = True
    """Off for events that lie in another place each time: then all cells share one climate."""


class ClimatologySettings(PlaceSettings):
    """How finely the day is divided."""

    hours: Annotated[int, Field(ge=1, le=24)] = 1
    """Bins of the UTC day at the valid time; 1 is a plain mean."""


class QuantileSettings(Spec):
    """How distributions are mapped."""

    quantiles: Annotated[int, Field(ge=3)] = 100
    variant: Literal["empirical", "trend-preserving"] = "empirical"
    wet: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """The smallest wet amount of each target that has dry days, in its own units."""


class OpticalFlowSettings(Spec):
    """How motion is found."""

    smoothness: Annotated[float, Field(gt=0)] = 50.0
    iterations: Positive = 100
    levels: Annotated[int, Field(ge=1, le=8)] = 4


class ArchiveSettings(Spec):
    """How the archived forecast is corrected."""

    correction: Literal["none", "mean-bias", "quantile"] = "none"
    by_place: bool = True
    quantiles: Annotated[int, Field(ge=3)] = 100
    floor: dict[str, float] = Field(default_factory=dict)
    """By target, the value that says that there is nothing; quantiles leave it as it is."""
