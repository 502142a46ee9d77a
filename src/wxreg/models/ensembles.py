"""Ensembles made of checkpoints, and the averages of their weights.

A checkpoint ensemble runs every member through its own weights (each epoch a member).  A weight
soup is something else: one network with averaged weights, chosen on the validation split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from wxreg.errors import Incompatible, UsageError
from wxreg.models.forecaster import Batch, Forecaster, LossReport, Noise

Weights = Mapping[str, Tensor]


class CheckpointEnsemble(Forecaster):
    """As many members as there are checkpoints, in their order."""

    def __init__(self, members: Sequence[Forecaster]) -> None:
        if not members:
            raise UsageError("REG-241", "an ensemble of no checkpoints was asked for")
        super().__init__(members[0].blueprint)
        self.forecasters = torch.nn.ModuleList(members)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """Refuse: the members were trained already."""
        raise Incompatible(
            "REG-447", "a checkpoint ensemble does not train", hint="train its entry instead"
        )

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """One step from each of the first ``members`` checkpoints, all with the same noise.

        A roll-out, in which each goes its own way, takes the forecasters from :meth:`first`.
        """
        return torch.cat([one.sample(batch, 1, noise) for one in self.first(members)], dim=1)

    def first(self, members: int) -> list[Forecaster]:
        """The first ``members`` forecasters; more than there are checkpoints are refused."""
        if members > len(self.forecasters):
            raise Incompatible(
                "REG-444",
                f"{members} members were asked, but there are {len(self.forecasters)} checkpoints",
                hint=f"ask for at most {len(self.forecasters)}, or keep more epochs",
            )
        found = list(self.forecasters)[:members]
        return [one for one in found if isinstance(one, Forecaster)]


def average_weights(checkpoints: Sequence[Weights]) -> dict[str, Tensor]:
    """The mean of each tensor; whole numbers are taken from the last checkpoint."""
    if not checkpoints:
        raise UsageError("REG-241", "an average of no checkpoints was asked for")
    names = checkpoints[0].keys()
    if any(one.keys() != names for one in checkpoints):
        raise Incompatible(
            "REG-442",
            "the checkpoints hold different layers and cannot be averaged",
            hint="average checkpoints of one run only",
        )
    return {name: _average([one[name] for one in checkpoints]) for name in names}


def choose_soup(
    checkpoints: Sequence[Weights], validation_error: Callable[[Weights], float]
) -> tuple[dict[str, Tensor], tuple[int, ...]]:
    """A greedy soup: from best to worst, keep each checkpoint that lowers the validation error.

    Returns the averaged weights and which checkpoints are in them.
    """
    order = sorted(range(len(checkpoints)), key=lambda n: validation_error(checkpoints[n]))
    chosen: list[int] = order[:1]
    best = average_weights([checkpoints[n] for n in chosen])
    error = validation_error(best)
    for candidate in order[1:]:
        trial = average_weights([checkpoints[n] for n in [*chosen, candidate]])
        trial_error = validation_error(trial)
        if trial_error < error:
            chosen, best, error = [*chosen, candidate], trial, trial_error
    return best, tuple(chosen)


def _average(tensors: Sequence[Tensor]) -> Tensor:
    last = tensors[-1]
    if not last.is_floating_point():
        return last.clone()
    return torch.stack([one.double() for one in tensors]).mean(dim=0).to(last.dtype)
