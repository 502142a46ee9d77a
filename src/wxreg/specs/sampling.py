"""How forecasts are made from a checkpoint, and corrected afterwards."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wxreg.specs.base import FrozenDict, Settings, Spec


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
    """What the weights are rounded to; how far that moves the forecast stays with the run."""
    compile: bool = False
    """Whether networks go through torch.compile; how far that moves the forecast is kept too."""
    missing: Literal["refuse", "previous", "persistence"] = "refuse"
    """What stands in for a missing input: nothing, the field one time step earlier and none
    older, or the last field that is there, however old."""
    parameters: bool = False
    """Keep the mean and spread of the density that each member was drawn from, too."""
    perturbation: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of input noise in normalised units, for ``perturbed-inputs``."""
    tile: Annotated[int, Field(ge=8)] | None = None
    """Side of the tiles, in cells of the target grid; the whole domain at once if not given."""
    overlap: Annotated[int, Field(ge=0)] = 0
    """Cells that neighbouring tiles share, over which they are blended."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.strategy == "perturbed-inputs") != (self.perturbation > 0):
            raise ValueError("perturbed-inputs and a perturbation above 0 need each other")
        if 2 * self.overlap > (self.tile or 0):
            raise ValueError("overlap is at most half of tile")
        return self


class PostStep(Spec):
    """One correction of finished forecasts, fitted on the training split."""

    name: Literal["mean-bias", "quantile"]
    """``mean-bias`` takes the mean error out; ``quantile`` maps onto the observed distribution."""
    by_place: bool = False
    """Whether each cell is corrected by its own numbers, or the domain by one for all."""
    quantiles: Annotated[int, Field(ge=2)] = 50
    windows: Annotated[int, Field(ge=1)] = 64
    """Training windows that are forecast to fit it, evenly spread."""
