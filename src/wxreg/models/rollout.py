"""Long leads from a one-step forecaster, each forecast becoming the next input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.leadtime import Duration
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, Noise
from wxreg.models.views import repeat_members, step_forward


def roll_out(
    forecaster: Forecaster,
    batch: Batch,
    members: int,
    noise: Noise,
    steps: int,
    persisted: Sequence[str] = (),
) -> Iterator[Tensor]:
    """The forecasts ``(B, M, D, Y, X)`` of one step after another, each as soon as it is known.

    Inputs that are not predicted stay as they are only if they are named in ``persisted``.
    """
    blueprint = forecaster.blueprint
    sources = _sources(blueprint, persisted)
    hours = Duration.parse(blueprint.step).hours
    count = len(batch.inputs)
    one_step = torch.full((count * members, 1), hours, device=batch.inputs.device)
    now = replace(repeat_members(batch, members), lead_hours=one_step)
    for step in range(steps):
        forecast = forecaster.sample(now, 1, noise)[:, 0, 0]
        yield forecast.reshape(count, members, *forecast.shape[1:])
        if step + 1 < steps:
            state, mask = _next_state(now, forecast, sources)
            now = step_forward(now, state, mask, hours, one_step)


def _sources(blueprint: Blueprint, persisted: Sequence[str]) -> tuple[int | None, ...]:
    """For each input the target that follows it, or ``None`` where it stays."""
    places = {channel: place for place, channel in enumerate(blueprint.targets)}
    missing = [
        channel.name
        for channel in blueprint.inputs
        if channel not in places and {channel.name, channel.variable}.isdisjoint(persisted)
    ]
    if missing:
        raise Incompatible(
            "REG-445",
            f"a roll-out needs {', '.join(missing)} as inputs, but they are not predicted",
            hint="add them to the targets, or declare that they persist",
        )
    return tuple(places.get(channel) for channel in blueprint.inputs)


def _next_state(
    now: Batch, forecast: Tensor, sources: tuple[int | None, ...]
) -> tuple[Tensor, Tensor]:
    """The inputs of the next step, and where they are real."""
    last, mask = now.inputs[:, -1], now.input_mask[:, -1]
    planes = [
        last[:, place] if source is None else forecast[:, source]
        for place, source in enumerate(sources)
    ]
    real = [
        mask[:, place] if source is None else torch.isfinite(forecast[:, source])
        for place, source in enumerate(sources)
    ]
    return torch.stack(planes, dim=1), torch.stack(real, dim=1)
