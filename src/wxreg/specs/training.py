"""How a checkpoint is made: the part of a registry entry that training carries out."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wxreg.ids import EntryId, Sha256, VariableId
from wxreg.leadtime import LeadsField
from wxreg.specs.base import FrozenDict, Settings, Spec


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
    """Weights that training starts from, pinned by their SHA-256.

    They come from a file of this workspace, or from the Hub at an exact revision; with neither
    they are a checkpoint that this workspace's ledger knows.
    """

    sha256: Sha256 | None = None
    """None where nobody could pin it yet: such a plan resolves, and training says how to pin it."""
    path: str | None = None
    """A checkpoint file, relative to the workspace; it may stand for a conversion of the
    repository's file."""
    repository: str | None = None
    revision: str | None = None
    file: str | None = None
    """The file of the repository, in the safetensors format."""
    licence: str | None = None
    """Under which licence the repository gives them."""
    into: str | tuple[str, ...] = ""
    """The part of the network that they are for, such as ``network``, or several parts that are
    alike; empty for all of it."""
    strict: bool = False
    """Refuse weights that do not fill that part; else what they lack starts from the seed."""

    PLACES: ClassVar[frozenset[str]] = frozenset(
        {"path", "repository", "revision", "file", "licence"}
    )
    """Fields that say where the weights are and so are no part of a plan's identity."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        hub = (self.repository, self.revision, self.file, self.licence)
        if any(hub) and not all(hub):
            raise ValueError("weights of the Hub need repository, revision, file and licence")
        if self.sha256 is None and not self.repository:
            raise ValueError("initial weights without a repository need their sha256")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the network that they are for."""
        return (self.into,) if isinstance(self.into, str) else self.into


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
    # Defaults are constructed, not validated: validating would build their classes at import.
    optimiser: Optimiser = Optimiser.model_construct()
    schedule: Schedule = Schedule.model_construct()
    loss: tuple[LossRef, ...] = (LossRef.model_construct(name="mse"),)
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
    """Mirror and turn samples at random; the components of vectors follow."""
    rare: RareSampling | None = None
    curriculum: tuple[CurriculumStage, ...] = ()
    """Which leads are trained from which step on; none for all from the beginning."""
    tile: Annotated[int, Field(ge=8)] | None = None
    """Side of the random crops (on the target grid) that are trained on."""

    @model_validator(mode="after")
    def _length(self) -> Self:
        if self.kind == "gradient" and (self.epochs is None) == (self.steps is None):
            raise ValueError("training has either epochs or steps")
        if self.weights == "ema" and self.ema is None:
            raise ValueError("weights: ema needs a decay under ema")
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} is not a multiple of accumulate")
        return self

    @model_validator(mode="after")
    def _stages(self) -> Self:
        begins = [stage.after for stage in self.curriculum]
        if begins and (begins[0] != 0 or begins != sorted(set(begins))):
            raise ValueError("curriculum stages begin after 0 and then after ever more steps")
        return self
