"""What a loss may look at, and the masked average that all of them use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Channel


@dataclass(frozen=True)
class Fields:
    """A prediction beside its target, both as scaled values.

    ``prediction`` is ``(B, L, D, Y, X)``, or ``(B, M, L, D, Y, X)`` for losses of ensembles;
    ``target`` and ``mask`` are ``(B, L, D, Y, X)``.  ``coarse`` is the physical coarse input
    ``(B, L, D, y, x)`` in target order for conservation, NaN where a target has none.
    """

    prediction: Tensor
    target: Tensor
    mask: Tensor
    targets: tuple[Channel, ...]
    to_physical: Callable[[Tensor], Tensor]
    """Scaled values of the prediction's shape to physical values."""
    spread: Tensor | None = None
    """A predicted logarithm of the standard deviation, of the prediction's shape."""
    coarse: Tensor | None = None
    physical_spread: Tensor | None = None
    """How far physical values spread by the statistics alone ``(D, 1, 1)``: of no one batch."""
    drawn: Callable[[], Tensor] | None = None
    """Of a system that draws, the scaled values of one draw: drawn only if a loss asks for it."""

    @cached_property
    def physical(self) -> Tensor:
        """The prediction in physical units."""
        return self.to_physical(self.prediction)

    @cached_property
    def outcome(self) -> Tensor:
        """What a member would hold, in physical units: what physical relations are asked of."""
        return self.physical if self.drawn is None else self.to_physical(self.drawn())

    @cached_property
    def physical_target(self) -> Tensor:
        """The target in physical units."""
        return self.to_physical(self.target)

    def place(self, variable: str, loss: str) -> int:
        """Which target channel a variable (or ``t@500``) is; refused if it is not predicted."""
        for place, channel in enumerate(self.targets):
            if variable in (channel.name, channel.variable):
                return place
        names = ", ".join(channel.name for channel in self.targets)
        raise Incompatible(
            "REG-443",
            f"the loss {loss} needs {variable}, which is not predicted",
            hint=f"leave the term out, or add the variable to the targets ({names})",
        )


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The average of values that are real; 0, with a gradient of 0, where none is."""
    kept = torch.where(mask, values, 0.0)
    return kept.sum() / mask.expand_as(values).sum().clamp(min=1)
