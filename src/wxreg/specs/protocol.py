"""Protocols and case selections: everything that makes two scores comparable."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from wxreg.canonical import digest
from wxreg.ids import EntryId, VariableId
from wxreg.leadtime import DurationField
from wxreg.specs.base import Entry, FrozenDict, Settings, Spec, freeze
from wxreg.specs.timeaxis import Moment, SplitName


class Threshold(Spec):
    """A value that makes an event, in stated units."""

    variable: VariableId
    values: tuple[float, ...]
    units: str
    test: Literal[">=", ">"] = ">="


class MetricRef(Spec):
    """One metric of a protocol."""

    id: str
    variables: tuple[VariableId, ...] = ()
    """The variables it is computed for; all of the protocol's if none are named."""
    windows: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Neighbourhood widths in cells, odd."""
    settings: Settings = FrozenDict()
    semantics: int = 1


class Constraint(Spec):
    """A physical statement that a field must satisfy, within a tolerance."""

    name: str
    tolerance: float
    settings: Settings = FrozenDict()


class Mask(Spec):
    """A subset of cells, by a condition on the truth."""

    name: EntryId
    where: str
    """An expression over variables and thresholds, such as ``refc > 20 or cape_sb > 1000``."""


class Bootstrap(Spec):
    """How confidence intervals are made."""

    block: DurationField
    samples: Annotated[int, Field(ge=0)] = 500
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seed: int = 0


class Region(Spec):
    """A box in latitude and longitude (−180…180)."""

    name: EntryId
    south: float
    north: float
    west: float
    east: float


class Protocol(Entry):
    """``registry/protocols/<id>.yaml``."""

    KIND: ClassVar[str] = "protocol"
    LABELS: ClassVar[frozenset[str]] = frozenset({"id", "title", "spec", "baselines", "citation"})

    id: EntryId
    title: str
    variables: tuple[VariableId, ...]
    metrics: tuple[MetricRef, ...]
    split: SplitName = "test"
    cases: EntryId | None = None
    """A case selection that takes the place of the split."""
    grid: Literal["target"] = "target"
    """The grid that both are brought to."""
    thresholds: tuple[Threshold, ...] = ()
    events: Annotated[dict[str, str], AfterValidator(freeze)] = FrozenDict()
    """Named conditions over several variables, such as ``scp >= 1``."""
    constraints: tuple[Constraint, ...] = ()
    masks: tuple[Mask, ...] = ()
    regions: tuple[Region, ...] = ()
    bins: tuple[Literal["lead", "hour", "season", "level"], ...] = ("lead",)
    edges: Literal["valid", "zero-padded"] = "valid"
    """What a neighbourhood does at the border."""
    pooling: Literal["counts", "mean-of-leads"] = "counts"
    """Whether counts are added before a ratio is formed."""
    missing: Literal["exclude", "non-event"] = "exclude"
    """What a missing value counts as."""
    border: Annotated[int, Field(ge=0)] = 0
    """Cells along each edge that are left out."""
    weights: Literal["none", "area"] = "none"
    pairing: Literal["time", "distribution"] = "time"
    """Whether times are matched, or only distributions compared."""
    engine: Literal["fused", "properscoring"] = "fused"
    bootstrap: Bootstrap | None = None
    baselines: tuple[EntryId, ...] = ()
    citation: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _odd(self) -> Self:
        for metric in self.metrics:
            if any(width % 2 == 0 for width in metric.windows):
                raise ValueError(f"{metric.id}: neighbourhood widths are odd")
        return self

    def meaning(self) -> dict[str, Any]:
        """What makes two scores comparable."""
        return {key: value for key, value in self.body().items() if key not in self.LABELS}

    def digest(self) -> str:
        """Stored with every score."""
        return digest(self.KIND, self.meaning(), format=self.FORMAT)


class Cases(Entry):
    """``registry/cases/<id>.yaml``: a declared choice of initial times."""

    KIND: ClassVar[str] = "cases"

    id: EntryId
    title: str
    dataset: EntryId
    times: tuple[Moment, ...] = ()
    """A list of initial times."""
    condition: str | None = None
    """An expression over variables, such as ``refc > 20 or cape_sb > 1000``."""
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    """The least share of the domain where the condition holds."""
    warmest: Annotated[int, Field(ge=1)] | None = None
    """The number of warmest years (by mean of ``variable``) that are taken."""
    variable: VariableId | None = None
    events: tuple[str, ...] = ()
    """Segments (such as SEVIR events) that are taken whole."""
    split: SplitName | None = "test"
    limit: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = [bool(self.times), self.condition is not None, self.warmest is not None]
        if sum([*rules, bool(self.events)]) != 1:
            raise ValueError("cases choose by exactly one of times, condition, warmest, events")
        if self.condition is not None and self.share is None:
            raise ValueError("a condition needs the share of the domain where it must hold")
        if self.warmest is not None and self.variable is None:
            raise ValueError("warmest needs the variable to average")
        return self
