"""What every baseline shares: no training loss, and targets found among the inputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport


class Baseline(Forecaster):
    """A forecaster without a training loop; ``needs_fit`` says whether it learns by `fit`."""

    needs_fit: bool = False

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """Refuse: a baseline is used as it is, or fitted in one pass."""
        remedy = "fit it in one pass instead" if self.needs_fit else "sample it as it is"
        raise Incompatible(
            "REG-447", f"{self.blueprint.architecture} has no training loss", hint=remedy
        )


class FittedBaseline(Baseline):
    """A baseline that reads the training period once; what it learns are buffers."""

    needs_fit: bool = True
    fitted: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.register_buffer("fitted", torch.tensor(False))

    def fit(self, batches: Iterable[Batch]) -> None:
        """Learn from the training period; a second fit replaces the first."""
        self.learn(batches)
        self.fitted.fill_(True)

    @abstractmethod
    def learn(self, batches: Iterable[Batch]) -> None:
        """Read the batches once and fill the buffers."""

    def require_fit(self) -> None:
        """Refuse to forecast before the fit."""
        if not bool(self.fitted):
            raise Incompatible(
                "REG-448",
                f"{self.blueprint.architecture} was not fitted",
                hint="train it first: the fit is one pass over the training period",
            )


def target_places(blueprint: Blueprint) -> list[int]:
    """Where each target channel stands among the inputs."""
    names = [channel.name for channel in blueprint.inputs]
    absent = [channel.name for channel in blueprint.targets if channel.name not in names]
    if absent:
        raise Incompatible(
            "REG-449",
            f"{blueprint.architecture} needs {', '.join(absent)} among its inputs",
            hint=f"the inputs are {', '.join(names)}",
        )
    return [names.index(channel.name) for channel in blueprint.targets]


def real_values(values: Tensor, mask: Tensor) -> Tensor:
    """The values with NaN where the mask says missing."""
    return values.masked_fill(~mask, torch.nan)


def last_real(batch: Batch, places: list[int]) -> Tensor:
    """The newest real value of each target channel ``(B, D, Y, X)``; NaN where none exists."""
    history = real_values(batch.inputs[:, :, places], batch.input_mask[:, :, places])
    newest = history[:, 0]
    for step in range(1, history.shape[1]):
        newest = torch.where(history[:, step].isnan(), newest, history[:, step])
    return newest


def repeat_members(forecast: Tensor, members: int) -> Tensor:
    """One forecast ``(B, L, D, Y, X)`` as ``members`` equal ones."""
    return forecast.unsqueeze(1).repeat(1, members, 1, 1, 1, 1)
