"""A registry entry: a system, expanded from its bases and one named scale."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from wxreg.canonical import digest
from wxreg.ids import NATIVE, EntryId, VariableId, VersionName
from wxreg.leadtime import ZERO, DurationField, LeadsField
from wxreg.specs.base import Entry, FrozenDict, Settings, Spec, freeze
from wxreg.specs.licence import Licence
from wxreg.specs.sampling import PostStep, Sampling
from wxreg.specs.training import Training

Task = Literal["forecast", "nowcast", "synthesis", "downscale"]


class ArchitectureRef(Spec):
    """The code that builds the network, and its settings."""

    name: str
    settings: Settings = FrozenDict()


class Side(Spec):
    """The fields of one dataset that a model reads or predicts."""

    dataset: EntryId
    variables: tuple[VariableId, ...]
    levels: tuple[float, ...] = ()
    """The levels of those variables that have levels."""
    view: EntryId = NATIVE
    statistics: EntryId | None = None
    """The name of the statistics; the view's name if not given."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.variables)) != len(self.variables):
            raise ValueError("a variable is listed twice")
        return self


class Inputs(Side):
    """What a model is given."""

    history: LeadsField = (ZERO,)
    """How long before the initial time each input step lies."""
    statics: tuple[VariableId, ...] = ()
    """Fields without time, on the grid of the targets."""


class Lead(Spec):
    """The lead times of a model."""

    step: DurationField = ZERO
    mode: Literal["direct", "joint", "rollout", "none"] = "none"
    """One lead a call, all leads in one call, step by step, or no lead at all."""
    trained: LeadsField = (ZERO,)
    allowed: LeadsField = (ZERO,)
    """Leads that may be asked for; beyond the trained ones the plan is marked extrapolated."""


class Evaluation(Spec):
    """How the model is scored unless told otherwise."""

    protocol: EntryId
    baselines: tuple[EntryId, ...] = ()


class Resources(Spec):
    """What the expanded model needs; a test builds it and holds these true."""

    parameters: Annotated[int, Field(ge=0)]
    train_gib: Annotated[float, Field(ge=0)]
    sample_gib: Annotated[float, Field(ge=0)]


class Model(Entry):
    """One system at one scale, fully expanded."""

    KIND: ClassVar[str] = "model"
    LABELS: ClassVar[frozenset[str]] = frozenset(
        {"id", "title", "summary", "base", "scales", "scale", "citation", "spec", "origin"}
    )
    """Fields that name or explain and so are no part of the identity."""

    id: EntryId
    title: str
    summary: str
    base: EntryId | None = None
    """The entry that this one continues; its settings hold where these say nothing."""
    scales: Annotated[dict[str, Settings], AfterValidator(freeze)] = FrozenDict()
    """Named overlays: ``mini`` for the embedded data, ``full`` for the real thing."""
    scale: str | None = None
    """The overlay that was laid on."""
    origin: str | None = None
    """The source document and option that describe the system."""
    task: Task
    architecture: ArchitectureRef
    inputs: Inputs
    targets: Side
    lead: Lead = Lead.model_construct()
    training: Training
    sampling: Sampling = Sampling.model_construct()
    evaluation: Evaluation
    versions: Annotated[dict[str, VersionName], AfterValidator(freeze)] = FrozenDict()
    """The version of each dataset that is meant unless the request names one."""
    resources: Resources
    licence: Licence
    citation: tuple[str, ...] = ()
    post: tuple[PostStep, ...] = ()
    """Post-processing steps, in order."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.task in ("forecast", "nowcast")) == (self.lead.mode == "none"):
            raise ValueError(f"task {self.task} does not go with lead mode {self.lead.mode}")
        return self

    @model_validator(mode="after")
    def _teachable(self) -> Self:
        stages = self.training.curriculum
        if stages and self.lead.mode not in ("direct", "joint"):
            raise ValueError(f"lead mode {self.lead.mode} has no leads for a curriculum")
        beyond = {lead for stage in stages for lead in stage.leads} - set(self.lead.trained)
        if beyond:
            shown = ", ".join(str(lead) for lead in sorted(beyond))
            raise ValueError(f"the curriculum trains {shown}, which lead.trained does not hold")
        return self

    def meaning(self) -> dict[str, Any]:
        """The body without names and explanations."""
        return {key: value for key, value in self.body().items() if key not in self.LABELS}

    def digest(self) -> str:
        """The identity of the expanded settings, whatever the entry or scale is called."""
        return digest(self.KIND, self.meaning(), format=self.FORMAT)
