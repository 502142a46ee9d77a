"""Small worlds for nowcasting and downscaling tests: drifting storms, and weather over hills."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from synthetic_weather import TinyBatch
from torch import Tensor

from wxreg.models.forecaster import Blueprint, Channel, ChannelStatistics, LossTerm

DAY = 86400.0
FRAMES = 25


def storm_events(count: int, size: int = 48, seed: int = 0) -> np.ndarray:
    """``(N, 25, 3, Y, X)``: vil in kg/m², ir069 and ir107 in degrees Celsius."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(float)
    events = np.zeros((count, FRAMES, 3, size, size))
    for event in events:
        wind = rng.normal(0, 0.7, 2) + np.array([0.3, 1.0])
        for _ in range(rng.integers(2, 5)):
            start, width = rng.uniform(0, size, 2), rng.uniform(2, 5)
            peak, birth = rng.uniform(5, 30), rng.uniform(-20, 15)
            for t in range(FRAMES):
                life = math.sin(math.pi * min(max((t - birth) / 30, 0), 1))
                cy, cx = start + wind * t
                distance = (y - cy) ** 2 + (x - cx) ** 2
                event[t, 0] += peak * life * np.exp(-distance / (2 * width**2))
                cloud = life * np.exp(-distance / (8 * width**2))
                event[t, 1] -= 15 * cloud
                event[t, 2] -= 40 * cloud
        event[:, 1] += -35 + rng.normal(0, 1)
        event[:, 2] += 5 + rng.normal(0, 2)
    return events.astype(np.float32)


def storm_batch(events: np.ndarray, history: int, leads: int, names: tuple[str, ...]) -> TinyBatch:
    places = [("vil", "ir069", "ir107").index(name) for name in names]
    data = torch.from_numpy(events)
    inputs, target = data[:, :history, places], data[:, history : history + leads, :1]
    count, size = len(data), data.shape[-1]
    minutes = torch.arange(1, leads + 1) * 5 / 60
    return TinyBatch(
        inputs,
        torch.ones_like(inputs, dtype=torch.bool),
        torch.zeros(count, 0, size, size),
        target,
        torch.ones_like(target, dtype=torch.bool),
        minutes.repeat(count, 1),
        torch.arange(count) * DAY,
        torch.zeros(size, size),
        torch.zeros(size, size),
    )


def synthesis_batch(events: np.ndarray) -> TinyBatch:
    """Satellite frames and the radar of the same time, one frame of each event."""
    batch = storm_batch(events[:, 10:], 1, 1, ("ir069", "ir107"))
    target = torch.from_numpy(events[:, 10:11, :1])
    from dataclasses import replace

    return replace(batch, target=target, lead_hours=torch.zeros(len(events), 1))


def storm_blueprint(
    architecture: str,
    settings: Mapping[str, object],
    *,
    inputs: tuple[str, ...] = ("vil",),
    history: int = 13,
    leads: int = 12,
    size: int = 48,
    losses: tuple[LossTerm, ...] = (LossTerm("mse"),),
) -> Blueprint:
    return Blueprint(
        architecture,
        settings,
        tuple(Channel(name) for name in inputs),
        (),
        (Channel("vil"),),
        history,
        leads,
        "5min",
        (size, size),
        (size, size),
        {
            "vil": ChannelStatistics(0.5, 0.85, "log1p", 0.0, None, {"5min": 0.12}),
            "ir069": ChannelStatistics(-38.0, 4.0),
            "ir107": ChannelStatistics(-5.0, 11.0),
        },
        losses,
    )


def hilly_days(count: int, size: tuple[int, int] = (64, 120), seed: int = 0) -> np.ndarray:
    """Daily precipitation (mm) and maximum temperature (°C) over hills ``(N, 2, Y, X)``."""
    rng = np.random.default_rng(seed)
    hills = terrain(size)
    rise = np.gradient(gaussian_filter(hills, 1.5), axis=1) * 8
    days = np.zeros((count, 2, *size))
    for number, day in enumerate(days):
        season = 10 * math.sin(2 * math.pi * number / 365)
        large = gaussian_filter(rng.normal(size=size), 16)
        large /= large.std()
        small = gaussian_filter(rng.normal(size=size), 1.5)
        small /= small.std()
        moist = np.maximum(large + 0.3, 0)
        day[0] = moist * 5 * np.exp(0.9 * rise + 0.35 * small)
        day[0][day[0] < 0.1] = 0
        day[1] = 18 + season + 4 * gaussian_filter(rng.normal(size=size), 20) * 60
        day[1] += -7 * hills - 1.2 * moist + 0.35 * small
    return days.astype(np.float32)


def terrain(size: tuple[int, int]) -> np.ndarray:
    """Hills in kilometres, always the same."""
    hills = gaussian_filter(np.random.default_rng(99).normal(size=size), 3)
    return np.maximum(hills / hills.std(), -1) * 0.5 + 0.5


def hilly_batch(days: np.ndarray, factor: int = 8) -> TinyBatch:
    target = torch.from_numpy(days)[:, None]
    count, size = len(days), days.shape[-2:]
    inputs = torch.nn.functional.avg_pool2d(target[:, 0], factor)[:, None]
    hills = torch.from_numpy(terrain(size).astype(np.float32))
    return TinyBatch(
        inputs,
        torch.ones_like(inputs, dtype=torch.bool),
        hills[None, None].repeat(count, 1, 1, 1),
        target,
        torch.ones_like(target, dtype=torch.bool),
        torch.zeros(count, 1),
        torch.arange(count) * DAY,
        torch.zeros(size),
        torch.zeros(size),
    )


def hilly_blueprint(
    architecture: str,
    settings: Mapping[str, object],
    *,
    size: tuple[int, int] = (64, 120),
    factor: int = 8,
    losses: tuple[LossTerm, ...] = (LossTerm("mse"),),
    sampler: Mapping[str, object] | None = None,
) -> Blueprint:
    channels = (Channel("precip_24h"), Channel("tmax"))
    return Blueprint(
        architecture,
        settings,
        channels,
        (Channel("orog"),),
        channels,
        1,
        1,
        "0h",
        (size[0] // factor, size[1] // factor),
        size,
        {
            "precip_24h": ChannelStatistics(0.9, 0.95, "log1p", 0.0),
            "tmax": ChannelStatistics(16.0, 6.0),
            "orog": ChannelStatistics(0.5, 0.5),
        },
        losses,
        sampler or {},
    )


def crop(batch: TinyBatch, size: int, factor: int, generator: torch.Generator) -> TinyBatch:
    """A random aligned tile of ``size`` target cells from each sample, the same for all."""
    from dataclasses import replace

    assert batch.target is not None and batch.target_mask is not None
    rows, columns = (side - size // factor for side in batch.inputs.shape[-2:])
    y = int(torch.randint(rows + 1, (), generator=generator))
    x = int(torch.randint(columns + 1, (), generator=generator))

    def fine(t: Tensor) -> Tensor:
        return t[..., y * factor : y * factor + size, x * factor : x * factor + size]

    def coarse(t: Tensor) -> Tensor:
        return t[..., y : y + size // factor, x : x + size // factor]

    return replace(
        batch,
        inputs=coarse(batch.inputs),
        input_mask=coarse(batch.input_mask),
        static=fine(batch.static),
        target=fine(batch.target),
        target_mask=fine(batch.target_mask),
    )
