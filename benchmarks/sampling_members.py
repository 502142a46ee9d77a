"""Sixteen members in one call against sixteen calls of one member, in one process."""

from __future__ import annotations

import torch
from measure import Figure, paired, report

from wxreg.data.batches import WindowBatch
from wxreg.models.building import build
from wxreg.models.forecaster import Blueprint, Channel, ChannelStatistics, Forecaster, LossTerm
from wxreg.models.noise import MemberNoise

MEMBERS, SIDE, BUDGET = 16, 32, 1.1
_NAMES = ("t2m", "refc", "u10", "v10")


def main() -> list[Figure]:
    """On a GPU the budget is 0.5."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    forecaster = build(blueprint("ddpm", {"base": 8, "mean_base": 8, "depth": 3}), seed=0)
    forecaster = forecaster.to(device).eval()
    batch = a_batch(1).to(device)

    def together() -> None:
        _draw(forecaster, batch, MEMBERS, 0)

    def one_by_one() -> None:
        for member in range(MEMBERS):
            _draw(forecaster, batch, 1, member)

    pair = paired(together, one_by_one, repeats=3)
    return [pair.figure("sampling_members", 0.5 if device == "cuda" else BUDGET)]


def _draw(forecaster: Forecaster, batch: WindowBatch, members: int, first: int) -> None:
    with torch.inference_mode():
        forecaster.sample(batch, members, MemberNoise(0, [0.0], members, first))
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def blueprint(architecture: str, settings: dict[str, object]) -> Blueprint:
    """A one-hour forecaster of four fields."""
    channels = tuple(Channel(name) for name in _NAMES)
    numbers = {
        name: ChannelStatistics(0.0, 1.0, minimum=-5.0, maximum=5.0, tendency_std={"1h": 1.0})
        for name in _NAMES
    }
    return Blueprint(
        architecture=architecture,
        settings=settings,
        inputs=channels,
        statics=(),
        targets=channels,
        history=1,
        leads=1,
        step="1h",
        input_shape=(SIDE, SIDE),
        target_shape=(SIDE, SIDE),
        statistics=numbers,
        losses=(LossTerm("mse"),),
        sampler={"name": "heun", "steps": 4} if architecture == "ddpm" else {},
    )


def a_batch(count: int) -> WindowBatch:
    """Random fields."""
    draw = torch.Generator().manual_seed(0)
    fields = torch.randn(count, 1, len(_NAMES), SIDE, SIDE, generator=draw)
    real = torch.ones_like(fields, dtype=torch.bool)
    lat = torch.linspace(50, 40, SIDE, dtype=torch.float64)[:, None].expand(SIDE, SIDE)
    return WindowBatch(
        inputs=fields,
        input_mask=real,
        static=torch.empty(count, 0, SIDE, SIDE),
        target=fields + 0.1,
        target_mask=real,
        lead_hours=torch.ones(count, 1),
        time=torch.zeros(count, dtype=torch.float64),
        lat=lat,
        lon=lat.T.contiguous(),
        windows=torch.arange(count),
        segment=torch.zeros(count, dtype=torch.long),
    )


if __name__ == "__main__":
    report(main())
