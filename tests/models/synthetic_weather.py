"""A tiny world for model tests: blobs that drift and fade over smooth, daily-warmed fields."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from wxreg.models.forecaster import Blueprint, Channel, ChannelStatistics, LossTerm

CHANNELS = (
    *(Channel(name) for name in ("t2m", "u10", "v10", "refc", "cape_sb")),
    *(Channel(name, level) for name in ("t", "u") for level in (500.0, 850.0)),
)
STATICS = (Channel("orog"), Channel("lsm"))


@dataclass(frozen=True)
class TinyBatch:
    inputs: Tensor
    input_mask: Tensor
    static: Tensor
    target: Tensor | None
    target_mask: Tensor | None
    lead_hours: Tensor
    time: Tensor
    lat: Tensor
    lon: Tensor

    def pick(self, rows: Tensor | slice) -> TinyBatch:
        many = ("inputs", "input_mask", "static", "target", "target_mask", "lead_hours", "time")
        return replace(self, **{name: getattr(self, name)[rows] for name in many})


def world(hours: int, size: tuple[int, int] = (48, 48), seed: int = 0) -> np.ndarray:
    """Hourly fields ``(T, C, Y, X)`` in physical units, float32."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    hill = np.exp(-((y - 20) ** 2 + (x - 30) ** 2) / 200)
    fields = np.zeros((hours, len(CHANNELS), *size))
    storms: list[list[float]] = []
    east = south = 0.0
    for t in range(hours):
        phase = 2 * math.pi * (t % 24) / 24
        u, v = 4 + 2 * math.sin(t / 17), 2 * math.cos(t / 23)
        east, south = east + 0.8 * u, south + 0.5 * v
        if rng.random() < 0.6 + 0.3 * math.sin(phase):
            storms.append([*rng.uniform(-4, size), rng.uniform(15, 50), rng.uniform(2, 5), 0.0])
        refc, cold = np.full(size, -10.0), np.zeros(size)
        for storm in storms:
            storm[0] += v + rng.normal(0, 0.4)
            storm[1] += u + rng.normal(0, 0.4)
            storm[4] += 1
            strength = storm[2] * math.sin(math.pi * min(storm[4] / 8, 1.0))
            blob = np.exp(-((y - storm[0]) ** 2 + (x - storm[1]) ** 2) / (2 * storm[3] ** 2))
            refc = np.maximum(refc, -10 + (strength + 10) * blob)
            cold += blob * strength / 12
        storms = [storm for storm in storms if storm[4] < 8]
        wave = np.sin((x - east) / 9) + np.cos((y - south) / 11)
        fields[t, 0] = 290 + 6 * math.sin(phase - 0.6) * (1 - 0.3 * hill) + 1.5 * wave - cold
        fields[t, 1] = u + 1.2 * np.roll(wave, 5, 1) + 0.3 * cold
        fields[t, 2] = v + 1.2 * np.roll(wave, 5, 0) - 0.3 * cold
        fields[t, 3] = refc
        for place, lag in ((5, 9), (6, 4)):
            fields[t, place] = 260 + 2 * np.roll(wave, lag, 1) - 0.5 * cold
            fields[t, place + 2] = 2 * u + np.roll(wave, lag, 0)
        fields[t, 4] = np.maximum(0, 600 + 500 * math.sin(phase) + 200 * wave - 60 * cold)
    noise = np.array([0.15, 0.15, 0.15, 0.5, 20, 0.1, 0.1, 0.1, 0.1])[:, None, None]
    return (fields + noise * rng.normal(size=fields.shape)).astype(np.float32)


def statistics(fields: np.ndarray) -> dict[str, ChannelStatistics]:
    change = np.diff(fields, axis=0)
    numbers = {
        channel.name: ChannelStatistics(
            float(fields[:, i].mean()),
            float(fields[:, i].std()),
            tendency_std={"1h": float(change[:, i].std())},
        )
        for i, channel in enumerate(CHANNELS)
    }
    numbers["orog"] = ChannelStatistics(300.0, 200.0)
    numbers["lsm"] = ChannelStatistics(0.5, 0.5)
    return numbers


def windows(fields: np.ndarray, history: int = 2, leads: int = 1) -> TinyBatch:
    count = len(fields) - history - leads + 1
    data = torch.from_numpy(fields)
    size = fields.shape[-2:]
    starts = range(count)
    inputs = torch.stack([data[s : s + history] for s in starts])
    target = torch.stack([data[s + history : s + history + leads] for s in starts])
    rows = torch.linspace(45.0, 45 - 0.027 * size[0], size[0])
    columns = torch.linspace(-97.0, -97 + 0.035 * size[1], size[1])
    lat, lon = torch.meshgrid(rows, columns, indexing="ij")
    static = torch.stack([lat * 10 - 200, (lon > -96.5).float()])
    return TinyBatch(
        inputs=inputs,
        input_mask=torch.ones_like(inputs, dtype=torch.bool),
        static=static[None].expand(count, -1, -1, -1),
        target=target,
        target_mask=torch.ones_like(target, dtype=torch.bool),
        lead_hours=torch.arange(1, leads + 1).float()[None].expand(count, -1),
        time=torch.tensor([1.6e9 + 3600.0 * (s + history - 1) for s in starts]).double(),
        lat=lat,
        lon=lon,
    )


def blueprint(fields: np.ndarray, architecture: str, **changes: object) -> Blueprint:
    size = (fields.shape[-2], fields.shape[-1])
    plain = Blueprint(
        architecture=architecture,
        settings={},
        inputs=CHANNELS,
        statics=STATICS,
        targets=CHANNELS,
        history=2,
        leads=1,
        step="1h",
        input_shape=size,
        target_shape=size,
        statistics=statistics(fields),
        losses=(LossTerm("mse"),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
