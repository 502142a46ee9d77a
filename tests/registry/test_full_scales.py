"""Every trained entry learns and forecasts at its largest scales without memory: on meta."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
import torch
from paper import LIBRARY, paper_blueprint
from torch import Tensor

from wxreg.models.building import build_on_meta
from wxreg.models.forecaster import Blueprint
from wxreg.models.noise import MemberNoise

ENTRIES = [
    (name, scale)
    for name in LIBRARY.ids("model")
    for scale in LIBRARY.scales(name)
    if scale in ("full", "50m") and LIBRARY.model(name, scale).training.kind == "gradient"
]
MEMBERS = 2


@dataclass(frozen=True)
class MetaBatch:
    """A batch of two samples that has shapes and no values."""

    inputs: Tensor
    input_mask: Tensor
    static: Tensor
    target: Tensor
    target_mask: Tensor
    lead_hours: Tensor
    time: Tensor
    lat: Tensor
    lon: Tensor


def meta_batch(blueprint: Blueprint, count: int = 2) -> MetaBatch:
    inputs = (count, blueprint.history, len(blueprint.inputs), *blueprint.input_shape)
    target = (count, blueprint.leads, len(blueprint.targets), *blueprint.target_shape)
    with torch.device("meta"):
        return MetaBatch(
            inputs=torch.empty(inputs),
            input_mask=torch.empty(inputs, dtype=torch.bool),
            static=torch.empty(count, len(blueprint.statics), *blueprint.target_shape),
            target=torch.empty(target),
            target_mask=torch.empty(target, dtype=torch.bool),
            lead_hours=torch.empty(count, blueprint.leads),
            time=torch.empty(count, dtype=torch.float64),
            lat=torch.empty(blueprint.target_shape),
            lon=torch.empty(blueprint.target_shape),
        )


@pytest.mark.parametrize(("name", "scale"), ENTRIES)
def test_a_scale_learns_and_forecasts_on_the_meta_device(name: str, scale: str) -> None:
    sampler = dict(LIBRARY.model(name, scale).sampling.sampler)
    blueprint = replace(paper_blueprint(name, scale), sampler=sampler)
    forecaster = build_on_meta(blueprint)
    batch = meta_batch(blueprint)
    noise = MemberNoise(0, [0.0, 3600.0], MEMBERS)
    with ExitStack() as stack:
        if "aurora" in blueprint.architecture:
            pytest.importorskip("aurora", reason="microsoft-aurora is an extra")
            from wxreg.models.aurora_shapes import shapes_only

            stack.enter_context(shapes_only())
            batch = replace(batch, time=torch.zeros(2, dtype=torch.float64))
        total = forecaster.loss(batch, torch.Generator()).total
        with torch.no_grad():
            drawn = forecaster.eval().sample(batch, MEMBERS, noise)
    assert total.is_meta and total.shape == () and total.requires_grad
    assert drawn.is_meta
    assert drawn.shape == (2, MEMBERS, *batch.target.shape[1:])
