"""Plans: fully expanded, pinned intents.  Equal plans give equal results."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from wxreg.canonical import digest
from wxreg.ids import DatasetRef, EntryId, Sha256, VariableId
from wxreg.leadtime import DurationField, LeadsField
from wxreg.specs.base import FrozenDict, Spec, freeze
from wxreg.specs.dataset import Layout
from wxreg.specs.grid import Grid
from wxreg.specs.model import ArchitectureRef, Lead, Task
from wxreg.specs.sampling import PostStep, Sampling
from wxreg.specs.timeaxis import Calendar, Moment, Period, Splits
from wxreg.specs.training import InitialWeights, Training

Semantics = Annotated[dict[str, int], AfterValidator(freeze)]


class StorePlan(Spec):
    """One prepared view of one dataset version: the exact fields that are read."""

    dataset: DatasetRef
    content: Sha256
    """The content digest of the version."""
    layout: Layout
    product: str | None = None
    view: EntryId
    variables: tuple[VariableId, ...]
    """Everything the store must hold for this plan, statics included."""
    channels: tuple[str, ...]
    """The planes in tensor order: ``t2m``, ``t@500``."""
    statics: tuple[VariableId, ...] = ()
    grid: Grid
    regrid: Literal["none", "bilinear", "block-mean"] = "none"
    cadence: DurationField
    calendar: Calendar
    gaps: Literal["refuse", "interpolate", "previous", "mark"] = "mark"
    segments: bool = False
    forecast: DurationField | None = None
    """The lead of the archived forecast that the store holds in place of the state."""
    statistics: Sha256 | None = None
    """The digest of the statistics that normalise it."""


class Provenance(Spec):
    """Names and circumstances: shown to people, no part of the identity."""

    model: EntryId
    scale: str
    extrapolated: bool = False
    provisional: tuple[str, ...] = ()
    """Periods of provisional data that the plan touches."""
    statistics: Annotated[dict[str, str], AfterValidator(freeze)] = FrozenDict()
    """The name of the statistics file of each side."""
    protocol: EntryId | None = None
    cases: EntryId | None = None


class Plan(Spec):
    """What every plan has; ``about`` and ``spec`` are no part of the digest."""

    KIND: ClassVar[str]
    FORMAT: ClassVar[int] = 1

    spec: int = 1
    about: Provenance
    semantics: Semantics
    """The ``semantics`` of every named part: architecture, losses, sampler, readers."""
    plugins: Annotated[dict[str, str], AfterValidator(freeze)] = FrozenDict()
    """The distribution and version of every part that a plug-in brings."""

    def meaning(self) -> dict[str, Any]:
        """What determines the result."""
        body = self.body()
        return {key: value for key, value in body.items() if key not in ("about", "spec")}

    def digest(self) -> str:
        """The identity of the plan."""
        return digest(self.KIND, self.meaning(), format=self.FORMAT)


class Selection(Spec):
    """Which checkpoint of a training is meant, before it exists."""

    train_plan: Sha256
    rule: str
    """``best``, ``last`` or ``epoch=7``."""


class TrainPlan(Plan):
    """How one checkpoint comes to be."""

    KIND: ClassVar[str] = "train"

    task: Task
    architecture: ArchitectureRef
    inputs: StorePlan
    targets: StorePlan
    history: LeadsField
    lead: Lead
    splits: Splits
    training: Training
    teacher: Selection | None = None
    """The training whose checkpoint a student learns from."""
    seed: int = 0
    deterministic: bool = True

    def meaning(self) -> dict[str, Any]:
        """What determines the result: of initial weights their digest, not where they are."""
        body = super().meaning()
        initial = body.get("training", {}).get("initial")
        for place in InitialWeights.PLACES if initial else ():
            initial.pop(place, None)
        return body


class Starts(Spec):
    """Which initial times are forecast."""

    split: Literal["train", "validation", "test"] | None = None
    periods: tuple[Period, ...] = ()
    times: tuple[Moment, ...] = ()
    every: DurationField | None = None
    """Keep only times this far apart."""
    limit: int | None = None
    cases: Sha256 | None = None
    """The digest of a case selection."""


class SamplePlan(Plan):
    """How one forecast comes to be."""

    KIND: ClassVar[str] = "sample"

    checkpoint: Sha256 | None = None
    selection: Selection | None = None
    """Takes the place of the checkpoint until it exists."""
    ensemble: tuple[Sha256, ...] = ()
    """The checkpoints of a checkpoint ensemble, in the order of its members."""
    architecture: ArchitectureRef | None = None
    """The system itself, where it needs no training and so has no checkpoint."""
    inputs: StorePlan
    targets: StorePlan
    history: LeadsField
    lead: Lead
    leads: LeadsField
    starts: Starts
    sampling: Sampling
    seed: int = 0
    post: tuple[PostStep, ...] = ()


class EvaluatePlan(Plan):
    """How one set of scores comes to be."""

    KIND: ClassVar[str] = "evaluate"

    forecast: Sha256 | None = None
    sample_plan: Sha256 | None = None
    """Takes the place of the forecast until it exists."""
    truth: StorePlan
    protocol: Sha256
    baselines: tuple[EntryId, ...] = ()
    systems: Annotated[dict[str, Sha256], AfterValidator(freeze)] = FrozenDict()
    """The digest of each baseline, and of the climatology that anomalies are taken from."""
    periods: tuple[Period, ...] = ()
    """The days of the truth that are compared where times are not paired."""
    leads: LeadsField = ()
