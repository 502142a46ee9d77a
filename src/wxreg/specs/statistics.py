"""Normalisation numbers as an artifact of their own, with what they were computed from."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from wxreg.canonical import digest
from wxreg.ids import DatasetRef, EntryId, Sha256
from wxreg.specs.base import Entry, FrozenDict, Spec, freeze
from wxreg.specs.timeaxis import Period
from wxreg.specs.variables import TransformName


class Moments(Spec):
    """The numbers of one population."""

    count: int
    mean: float
    std: float
    """Population standard deviation."""
    minimum: float
    maximum: float


class ChannelStatistics(Spec):
    """The statistics of one variable, or of one variable on one level (``t@500``)."""

    transform: TransformName = "identity"
    values: Moments
    """Of the transformed values."""
    missing: float = 0.0
    """Share of values that are missing."""
    zero: float = 0.0
    """Share of real values that are exactly zero."""
    tendencies: Annotated[dict[str, Moments], AfterValidator(freeze)] = FrozenDict()
    """Of the change of transformed values over a step, by the printed step (``1h``)."""
    quantiles: Annotated[dict[str, float], AfterValidator(freeze)] = FrozenDict()
    """Untransformed quantiles, by their probability (``0.99``), estimated by a t-digest."""
    sketched: int = 0
    """How many values the quantiles were estimated from: all, or evenly spaced ones."""


class Statistics(Entry):
    """``catalog/stats/<dataset>/<version>/<name>.yaml``."""

    KIND: ClassVar[str] = "statistics"

    id: EntryId
    dataset: DatasetRef
    source_digest: Sha256
    """The content digest of the version they were computed from."""
    split: Literal["train"] = "train"
    window: tuple[Period, ...]
    mask: str | None = None
    estimator: Literal["float64-moments"] = "float64-moments"
    reader: int = 1
    """The semantics of the preparation that the values went through."""
    channels: Annotated[dict[str, ChannelStatistics], AfterValidator(freeze)]
    code: str | None = None
    """The version of wxreg that computed them; not part of their identity."""
    created: str | None = None
    """When; not part of their identity."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.channels:
            raise ValueError("statistics of no channel")
        return self

    def digest(self) -> str:
        """Covers the numbers and the defining fields, not the code version or the time."""
        body = self.body()
        return digest(
            self.KIND,
            {key: value for key, value in body.items() if key not in ("code", "created", "id")},
            format=self.FORMAT,
        )
