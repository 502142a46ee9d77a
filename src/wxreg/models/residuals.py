"""The space that forecasters learn in: each target as a scaled change from the last input step.

A target that is also an input is predicted as its change, divided by the standard deviation of
such changes (growing with the square root of the lead); any other target as its own normalised
value.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wxreg.errors import Incompatible
from wxreg.leadtime import Duration
from wxreg.models.forecaster import Batch, Blueprint, Channel
from wxreg.models.losses.fields import Fields
from wxreg.models.normalising import Normaliser, statistics_of


class ResidualSpace(nn.Module):
    """Moves targets between physical values and scaled changes ``(B, L, D, Y, X)``."""

    tendency: Tensor
    changing: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.channels = blueprint.targets
        self.inputs = Normaliser(blueprint.inputs, blueprint.numbers_of_inputs)
        self.targets = Normaliser(blueprint.targets, blueprint.statistics)
        self.step_hours = Duration.parse(blueprint.step).hours
        places = {channel: place for place, channel in enumerate(blueprint.inputs)}
        self.sources = tuple(places.get(channel) for channel in blueprint.targets)
        changing = [source is not None for source in self.sources]
        sizes = [
            tendency_size(channel, blueprint) if moves else 1.0
            for channel, moves in zip(blueprint.targets, changing, strict=True)
        ]
        self.register_buffer("tendency", torch.tensor(sizes).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("changing", torch.tensor(changing).reshape(-1, 1, 1), persistent=False)

    def history(self, batch: Batch) -> Tensor:
        """The normalised inputs ``(B, H, C, Y, X)``."""
        return self.inputs.normalise(batch.inputs, batch.input_mask)

    def base(self, history: Tensor) -> Tensor:
        """What changes are counted from: ``(B, D, Y, X)``, 0 where the target is no input."""
        last = history[:, -1]
        zero = torch.zeros_like(last[:, 0])
        planes = [zero if source is None else last[:, source] for source in self.sources]
        return torch.stack(planes, dim=1)

    def scale(self, lead_hours: Tensor) -> Tensor:
        """The size of a typical change at each lead: ``(B, L, D, 1, 1)``."""
        growth = (lead_hours / self.step_hours).clamp(min=1e-3).sqrt()[..., None, None, None]
        return torch.where(self.changing, self.tendency * growth, self.tendency)

    def encode(self, batch: Batch, base: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled changes that a batch's target holds, and where they are real."""
        if batch.target is None or batch.target_mask is None:
            raise ValueError("this batch has no target to learn from")
        mask = batch.target_mask & torch.isfinite(batch.target)
        normalised = self.targets.normalise(batch.target, mask)
        changes = (normalised - base[:, None]) / self.scale(batch.lead_hours)
        return torch.where(mask, changes, 0.0), mask

    def decode(self, changes: Tensor, base: Tensor, lead_hours: Tensor) -> Tensor:
        """Physical values of scaled changes ``(B, L, D, Y, X)``."""
        return self.targets.invert(base[:, None] + changes * self.scale(lead_hours))

    def fields(self, batch: Batch, base: Tensor, changes: Tensor) -> Fields:
        """Predicted scaled changes beside the batch's own, as losses want them."""
        target, mask = self.encode(batch, base)
        return Fields(
            changes,
            target,
            mask,
            self.channels,
            lambda scaled: self.decode(scaled, base, batch.lead_hours),
            physical_spread=self.targets.physical_spread,
        )


def tendency_size(channel: Channel, blueprint: Blueprint) -> float:
    """Standard deviation of a channel's change over a step, in normalised units."""
    numbers = statistics_of([channel], blueprint.statistics)[0]
    change = numbers.tendency_std.get(blueprint.step)
    if not change:
        raise Incompatible(
            "REG-441",
            f"no {blueprint.step} tendency statistics for {channel.name}",
            hint=f"`reg stats compute` with the step {blueprint.step} makes them",
        )
    return change / numbers.std
