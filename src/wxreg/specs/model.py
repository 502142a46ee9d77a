"""A registry entry: a system, expanded from its bases and one named scale."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from wxreg.canonical import digest
from wxreg.ids import EntryId, Sha256, VariableId, VersionName
from wxreg.leadtime import ZERO, DurationField, LeadsField
from wxreg.specs.base import Entry, FrozenDict, Settings, Spec, freeze
from wxreg.specs.dataset import NATIVE, Licence

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
    def _unique(self) -> Side:
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


class Optimiser(Spec):
    """How weights follow gradients."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    rate: Annotated[float, Field(gt=0)] = 1e-3
    decay: Annotated[float, Field(ge=0)] = 0.0
    betas: tuple[float, float] = (0.9, 0.999)


class Schedule(Spec):
    """How the learning rate changes."""

    name: Literal["constant", "cosine", "linear", "plateau"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps over which the rate rises from zero."""
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the rate that remains at the end."""
    patience: Annotated[int, Field(ge=1)] = 2


class LossRef(Spec):
    """One declared part of a loss."""

    name: str
    weight: Annotated[float, Field(ge=0)] = 1.0
    settings: Settings = FrozenDict()


class InitialWeights(Spec):
    """Weights that training starts from: fetched by exact revision and digest."""

    repository: str
    revision: str
    file: str
    sha256: Sha256
    licence: str
    strict: bool = False


class CurriculumStage(Spec):
    """From which optimizer step on which leads are trained."""

    after: Annotated[int, Field(ge=0)]
    leads: LeadsField


class RareSampling(Spec):
    """Windows whose target holds rare weather are drawn more often."""

    variable: VariableId
    threshold: float
    share: Annotated[float, Field(ge=0, le=1)]
    """Share of cells at or above the threshold that makes a window rare."""
    weight: Annotated[float, Field(ge=1)]


class Training(Spec):
    """How a checkpoint is made."""

    kind: Literal["gradient", "fit", "none"] = "gradient"
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    loss: tuple[LossRef, ...] = (LossRef(name="mse"),)
    epochs: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps; takes the place of epochs."""
    batch: Annotated[int, Field(ge=1)] = 8
    """The global batch of one optimizer step, over all devices and accumulation."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    precision: Literal["32", "bf16-mixed", "16-mixed", "bf16"] = "32"
    clip: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    stop_after: Annotated[int, Field(ge=1)] | None = None
    """Validations without improvement after which training stops."""
    validate_every: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between validations; an epoch if not given."""
    validation_batches: Annotated[int, Field(ge=1)] | None = None
    select: Literal["best", "last", "soup"] = "best"
    """Which checkpoint is meant; a soup averages the epochs that lower the validation loss."""
    weights: Literal["raw", "ema"] = "raw"
    """Which weights the checkpoint holds."""
    keep: Annotated[int, Field(ge=1)] = 1
    """How many checkpoints with the best validation are kept."""
    every_epoch: bool = False
    """Whether each epoch's weights are a checkpoint too."""
    recompute: bool = False
    """Activation checkpointing: less memory for more time."""
    freeze: tuple[str, ...] = ()
    """Name patterns of weights that stay as they are."""
    initial: InitialWeights | None = None
    teacher: EntryId | None = None
    """The entry whose checkpoint a student learns from."""
    augment: tuple[Literal["flip-x", "flip-y", "rotate"], ...] = ()
    rare: RareSampling | None = None
    curriculum: tuple[CurriculumStage, ...] = ()
    tile: Annotated[int, Field(ge=8)] | None = None
    """Side of the random crops (on the target grid) that are trained on."""

    @model_validator(mode="after")
    def _length(self) -> Training:
        if self.kind == "gradient" and (self.epochs is None) == (self.steps is None):
            raise ValueError("training has either epochs or steps")
        if self.weights == "ema" and self.ema is None:
            raise ValueError("weights: ema needs a decay under ema")
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} is not a multiple of accumulate")
        return self


class Sampling(Spec):
    """How forecasts are made from a checkpoint."""

    members: Annotated[int, Field(ge=1)] = 1
    member_batch: Annotated[int, Field(ge=1)] = 1
    """Members computed at once: exactly, with the last batch padded."""
    strategy: Literal[
        "deterministic",
        "generative",
        "dropout",
        "variational",
        "checkpoints",
        "perturbed-inputs",
    ] = "deterministic"
    sampler: Settings = FrozenDict()
    """Settings of the sampler, such as its name and steps."""
    precision: Literal["32", "bf16", "16", "int8"] = "32"
    compile: bool = False
    missing: Literal["refuse", "previous", "persistence"] = "refuse"
    """What is done about missing inputs."""
    perturbation: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of input noise, in normalised units."""
    tile: Annotated[int, Field(ge=8)] | None = None
    overlap: Annotated[int, Field(ge=0)] = 0


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
    lead: Lead = Lead()
    training: Training
    sampling: Sampling = Sampling()
    evaluation: Evaluation
    versions: Annotated[dict[str, VersionName], AfterValidator(freeze)] = FrozenDict()
    """The version of each dataset that is meant unless the request names one."""
    resources: Resources
    licence: Licence
    citation: tuple[str, ...] = ()
    post: tuple[Settings, ...] = ()
    """Post-processing steps, in order."""

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if (self.task in ("forecast", "nowcast")) == (self.lead.mode == "none"):
            raise ValueError(f"task {self.task} does not go with lead mode {self.lead.mode}")
        return self

    def meaning(self) -> dict[str, Any]:
        """The body without names and explanations."""
        return {key: value for key, value in self.body().items() if key not in self.LABELS}

    def digest(self) -> str:
        """The identity of the expanded settings, whatever the entry or scale is called."""
        return digest(self.KIND, self.meaning(), format=self.FORMAT)
