"""How much faster the distilled student draws members than its diffusion teacher.

Both have the settings of `mini`; weights are random, since they do not change the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import torch
from measure import Figure, paired, report

from wxreg.models.building import build
from wxreg.models.forecaster import Blueprint, Channel, ChannelStatistics, LossTerm
from wxreg.models.noise import MemberNoise

MEMBERS = 8
NETWORK = {"base": 12, "mean_base": 12, "depth": 3, "widest": 4}


def main() -> list[Figure]:
    torch.set_num_threads(1)
    batch = day()
    teacher = build(blueprint("corrdiff", NETWORK), 0)
    student = build(blueprint("corrdiff-fast", {**NETWORK, "student_steps": 2}), 0)

    def draw(forecaster) -> None:  # type: ignore[no-untyped-def]
        with torch.inference_mode():
            forecaster.sample(batch, MEMBERS, MemberNoise(0, [0.0], MEMBERS))

    pair = paired(lambda: draw(student), lambda: draw(teacher), repeats=3, clock="cpu")
    speed_up = 1 / pair.ratio
    name = "distilled_members_speed_up"
    return [Figure(name, speed_up, 10.0, pair.ours, pair.other, at_least=True)]


def blueprint(architecture: str, settings: Mapping[str, object]) -> Blueprint:
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
        (8, 15),
        (64, 120),
        {
            "precip_24h": ChannelStatistics(0.9, 0.95, "log1p", 0.0),
            "tmax": ChannelStatistics(16.0, 6.0),
            "orog": ChannelStatistics(0.5, 0.5),
        },
        (LossTerm("mse"),),
        {"name": "heun", "steps": 18},
    )


def day() -> SimpleNamespace:
    coarse = torch.rand(1, 1, 2, 8, 15)
    return SimpleNamespace(
        inputs=coarse,
        input_mask=torch.ones_like(coarse).bool(),
        static=torch.rand(1, 1, 64, 120),
        target=None,
        target_mask=None,
        lead_hours=torch.zeros(1, 1),
        time=torch.zeros(1, dtype=torch.float64),
        lat=torch.zeros(64, 120),
        lon=torch.zeros(64, 120),
    )


if __name__ == "__main__":
    report(main())
