"""Deterministic scores: both paths, oracles, categories by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
import xskillscore

from wxreg.scores import categorical, members, tiled_members
from wxreg.scores.binning import Bins
from wxreg.scores.members import MemberScores
from wxreg.scores.metrics import finish
from wxreg.scores.quantiles import QuantileLoss
from wxreg.scores.states import State

HAND = np.array([2, 1, 1, 6])


def fields(dtype=float):
    random = np.random.default_rng(0)
    truth = random.normal(280, 5, (23, 211))
    return (truth + random.normal(0.5, 2, (4, 23, 211))).astype(dtype), truth.astype(dtype)


def test_hand_checked_categories():
    expected = {"csi": 0.5, "pod": 2 / 3, "far": 1 / 3, "pofd": 1 / 7, "freq_bias": 1,
                "ets": 0.354839, "hss": 0.523810}  # fmt: skip
    state = State({"weighted_contingency": HAND.astype(float)})
    for metric, value in expected.items():
        assert finish(metric, state) == pytest.approx(value, abs=1e-6)
    diagram = categorical.performance_diagram(HAND)
    assert diagram["success_ratio"] == pytest.approx(2 / 3)


def test_no_event_at_all_is_undefined():
    none = np.array([0, 0, 0, 10])
    for score in (categorical.csi, categorical.pod, categorical.far, categorical.ets,
                  categorical.hss, categorical.freq_bias):  # fmt: skip
        assert np.isnan(score(none)), score
    assert categorical.pofd(none) == 0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_and_numpy_paths_agree(monkeypatch, weighted, holes, dtype):
    forecast, truth = fields(dtype)
    if holes:
        forecast[1, :3] = np.nan
        truth[5] = np.inf
    weights = np.random.default_rng(1).random(truth.shape) if weighted else None
    bins = Bins.from_masks({"warm": truth > 280, "all": truth == truth}) if weighted else None
    statistic = MemberScores((275.0, 285.0), origin=280)
    compiled = statistic.update(forecast, truth, weights, bins)
    monkeypatch.setattr(members, "_pass", lambda: tiled_members.member_pass)
    plain = statistic.update(forecast, truth, weights, bins)
    assert compiled.layout == plain.layout
    for name in compiled.arrays:
        # float32 errors are rounded alike or not at all: the kernel widens before it subtracts
        np.testing.assert_allclose(compiled[name], plain[name], rtol=1e-6, atol=1e-4, err_msg=name)


def test_against_xskillscore_and_numpy():
    forecast, truth = fields()
    state = MemberScores(origin=280).update(forecast, truth)
    for member in range(4):
        pair = xr.DataArray(forecast[member]), xr.DataArray(truth)
        for metric, oracle in (("rmse", xskillscore.rmse), ("mae", xskillscore.mae),
                               ("corr", xskillscore.pearson_r)):  # fmt: skip
            assert finish(metric, state)[0, member] == pytest.approx(float(oracle(*pair)), abs=1e-9)
        assert finish("r2", state)[0, member] == pytest.approx(float(xskillscore.r2(*pair[::-1])))
        bias = (forecast[member] - truth).mean()
        assert finish("bias", state)[0, member] == pytest.approx(bias)


def test_constant_fields_have_no_correlation():
    forecast, truth = fields(np.float32)
    for pair in ((forecast, np.full_like(truth, 273.15)), (np.full_like(truth, 273.15), truth)):
        assert np.isnan(finish("corr", MemberScores().update(*pair))).all()
    assert np.isnan(finish("r2", MemberScores().update(forecast, np.full_like(truth, 1.1)))).all()


def test_anomaly_correlation_by_definition():
    forecast, truth = fields()
    climate = truth.mean(0)
    state = MemberScores().update(forecast - climate, truth - climate)
    f, o = forecast[0] - climate, truth - climate
    expected = (f * o).sum() / np.sqrt((f * f).sum() * (o * o).sum())
    assert finish("acc", state)[0, 0] == pytest.approx(expected)


def test_all_missing_is_undefined():
    state = MemberScores((1.0,)).update(np.full((3, 4), np.nan), np.ones((3, 4)))
    for metric in ("rmse", "mae", "bias", "corr", "csi"):
        assert np.isnan(finish(metric, state)).all()


def test_neighbourhood_maximum_passes_over_missing_points():
    field = np.zeros((5, 5))
    field[2, 2], field[0, 0] = 9, np.nan
    widened = categorical.neighbourhood_maximum(field, 3)
    assert (widened[1:4, 1:4] == 9).all()
    assert widened[0, 0] == 0
    assert widened[4, 4] == 0
    with pytest.raises(ValueError, match="odd"):
        categorical.neighbourhood_maximum(field, 4)


def test_quantile_loss_by_hand():
    state = QuantileLoss((0.9,)).update(np.array([1.0, 1.0, np.nan]), np.array([2.0, 0.0, 5.0]))
    assert finish("quantile_loss", state) == pytest.approx((0.9 + 0.1) / 2)
