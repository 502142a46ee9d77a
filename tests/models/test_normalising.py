from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Channel, ChannelStatistics
from wxreg.models.normalising import Normaliser

CASES = {
    "identity": (-300.0, 300.0),
    "log1p": (0.0, 300.0),
    "sqrt": (0.0, 300.0),
    "logit": (0.01, 99.0),
    "clip": (0.0, 100.0),
}


def normaliser(transform: str, mean: float, std: float) -> Normaliser:
    numbers = ChannelStatistics(mean, std, transform, minimum=0.0, maximum=100.0)
    return Normaliser([Channel("x")], {"x": numbers})


@pytest.mark.parametrize("transform", CASES)
@given(
    share=st.floats(0, 1),
    mean=st.floats(-10, 10),
    std=st.floats(0.1, 30),
)
@settings(max_examples=40, deadline=None)
def test_inverting_undoes_normalising(
    transform: str, share: float, mean: float, std: float
) -> None:
    low, high = CASES[transform]
    high = min(high, 100.0) if transform == "clip" else high
    value = torch.full((1, 1, 1), low + share * (high - low))
    tool = normaliser(transform, mean, std)
    back = tool.invert(tool.normalise(value))
    assert torch.allclose(back, value, atol=2e-3, rtol=2e-4)


def test_what_is_not_real_becomes_the_mean() -> None:
    tool = normaliser("identity", 5.0, 2.0)
    values = torch.tensor([[[float("nan"), 9.0, 9.0]]])
    mask = torch.tensor([[[True, True, False]]])
    assert tool.normalise(values, mask).tolist() == [[[0.0, 2.0, 0.0]]]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (None, "no statistics for x"),
        (ChannelStatistics(0, 0), "cannot be scaled"),
        (ChannelStatistics(0, 1, "cube"), "unknown transform"),
        (ChannelStatistics(0, 1, "logit"), "minimum and a maximum"),
    ],
)
def test_useless_statistics_are_refused(numbers: ChannelStatistics | None, said: str) -> None:
    table = {} if numbers is None else {"x": numbers}
    with pytest.raises(Incompatible, match=said):
        Normaliser([Channel("x")], table)
