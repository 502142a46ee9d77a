"""Forgetting activations changes no gradient, whatever the blocks draw, and saves memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import synthetic_weather as weather
import torch
from small_worlds import (
    hilly_batch,
    hilly_blueprint,
    hilly_days,
    storm_batch,
    storm_blueprint,
    storm_events,
)
from test_building import AURORA

from wxreg.errors import Incompatible
from wxreg.models.building import build
from wxreg.models.recomputing import recompute_activations, weights_by_name

SMALL = {"base": 4, "levels": 2}
TINY = {"base": 4, "depth": 1, "widest": 1}
HILLY = {
    "harpnet": SMALL,
    "downscaling-unet": SMALL,
    "bayes-unet": SMALL,
    "vi-unet": SMALL,
    "sr3": TINY,
    "corrdiff": {**TINY, "mean_base": 4},
}
WEATHER = {"unet": {"base": 4}, "ddpm": {"base": 4}, "aurora": AURORA}


def _system(name: str, fields: np.ndarray) -> tuple[Any, Any]:
    """A small forecaster whose silent layers speak, and two samples."""
    if name in HILLY:
        batch = hilly_batch(hilly_days(2, (32, 48)))
        blueprint = hilly_blueprint(name, HILLY[name], size=(32, 48))
    elif name in WEATHER:
        batch = weather.windows(fields).pick(slice(0, 2))
        blueprint = weather.blueprint(fields, name, settings=WEATHER[name])
    else:
        batch = storm_batch(storm_events(2, 24), 13, 12, ("vil",))
        blueprint = storm_blueprint(name, {"hidden": 4}, size=24)
    forecaster = build(blueprint, 0).train()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in forecaster.parameters():
            if not weights.any():
                weights.normal_(0, 0.1, generator=draw)
    return forecaster, batch


def _learned(forecaster: Any, batch: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    """The loss, every gradient, and how many numbers were kept for the gradients."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    torch.manual_seed(3)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        report = forecaster.loss(batch, torch.Generator().manual_seed(5))
        numbers = sum(kept.values())
    report.total.backward()
    named = weights_by_name(forecaster).items()
    found = {name: weights.grad for name, weights in named if weights.grad is not None}
    return report.total.detach(), found, numbers


@pytest.mark.parametrize("name", [*WEATHER, *HILLY, "convlstm"])
def test_gradients_are_the_same_to_the_bit(fields: np.ndarray, name: str) -> None:
    loss, expected, kept = _learned(*_system(name, fields))
    forecaster, batch = _system(name, fields)
    names = list(forecaster.state_dict())
    recompute_activations(forecaster)
    again, found, fewer = _learned(forecaster, batch)
    assert torch.equal(loss, again)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert list(forecaster.state_dict()) == names, "checkpoints keep their names"
    assert fewer < kept, "less is remembered"


def test_a_network_without_blocks_is_refused(fields: np.ndarray) -> None:
    forecaster = build(storm_blueprint("nowcastnet", {"base": 4}, size=24), 0)
    with pytest.raises(Incompatible) as caught:
        recompute_activations(forecaster)
    assert caught.value.code == "REG-460" and "training.accumulate" in str(caught.value.hint)
