"""The fused pass: known vectors, awkward values, engines, oracles and merge laws."""

from __future__ import annotations

import numpy as np
import properscoring
import pytest
import scoringrules
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scores.probability import crps_for_ensemble

from wxreg.scores.binning import Bins
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.metrics import finish
from wxreg.scores.states import State, merge_all


def close(a: State, b: State, tolerance: float = 1e-9) -> None:
    assert a.layout == b.layout
    for name in a.arrays:
        np.testing.assert_allclose(a[name], b[name], rtol=tolerance, atol=tolerance, err_msg=name)


def one(forecast, truth, **settings_):
    field = np.asarray(forecast, float).reshape(len(forecast), 1, 1)
    return Bins.whole((1, 1)).pool(
        EnsembleScores(**settings_).update(field, np.array([[truth]], float)), "all"
    )


def wet_fields(seed=0, members=7, shape=(20, 301), dtype=float):
    random = np.random.default_rng(seed)
    forecast = np.maximum(np.round(random.normal(0, 3, (members, *shape)), 1), 0)
    truth = np.maximum(np.round(random.normal(0, 3, shape), 1), 0)
    return forecast.astype(dtype), truth.astype(dtype)


def with_holes(forecast, truth, seed=1):
    random = np.random.default_rng(seed)
    forecast, truth = forecast.copy(), truth.copy()
    forecast[random.random(forecast.shape) < 0.2] = np.nan
    forecast[0, 0, :5] = np.inf
    forecast[:, 1, 1] = np.nan
    forecast[1:, 2, 2] = np.nan
    truth[random.random(truth.shape) < 0.1] = np.nan
    return forecast, truth


def test_hand_checked_crps():
    state = one([1, 3], 2)
    assert finish("crps_ensemble", state) == 0.5
    assert finish("crps", state) == 0


def test_observation_equal_to_a_member():
    """pysteps gives another number here; this one is by hand."""
    assert finish("crps_ensemble", one([0, 1, 2], 1)) == pytest.approx(2 / 9)


def test_ties_are_shared():
    np.testing.assert_allclose(
        finish("rank_histogram", one([0, 0, 5], 0)), [1 / 3, 1 / 3, 1 / 3, 0]
    )


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("members", [1, 2, 7, 50])
def test_engines_agree(holes, dtype, members):
    forecast, truth = wet_fields(members=members, dtype=dtype)
    if holes:
        forecast, truth = with_holes(forecast, truth)
    random = np.random.default_rng(3)
    bins = Bins.from_masks({"a": random.random(truth.shape) < 0.5, "b": truth > 1})
    weights = random.random(truth.shape)
    runs = [
        EnsembleScores((0.0, 2.0), engine).update_with_maps(forecast, truth, weights, bins)
        for engine in ("fused", "tiled", "properscoring")
    ]
    tolerance = 1e-9 if dtype is np.float64 else 2e-6
    for state, maps in runs[1:]:
        close(runs[0][0], state, tolerance)
        np.testing.assert_allclose(runs[0][1], maps, rtol=1e-5, atol=1e-5)


def test_uniform_tiles_equal_general_tiles():
    forecast, truth = wet_fields(members=5, shape=(60, 200), dtype=np.float32)
    plain = EnsembleScores((1.0,)).update(forecast, truth)
    halves = Bins(np.indices(truth.shape)[1].astype(np.int32) % 2, {"all": (0, 1)}, 2)
    binned = EnsembleScores((1.0,)).update(forecast, truth, np.ones(truth.shape), halves)
    close(Bins.whole(truth.shape).pool(plain, "all"), halves.pool(binned, "all"), 1e-6)


def test_one_and_many_threads_give_the_same_bits():
    forecast, truth = wet_fields()
    first, second = (EnsembleScores((1.0,), threads=n).update(forecast, truth) for n in (1, 3))
    for name in first.arrays:
        assert first[name].tobytes() == second[name].tobytes()


def test_against_oracles():
    forecast, truth = wet_fields(members=9)
    state = EnsembleScores((1.0,)).update(forecast, truth)
    fair = scoringrules.crps_ensemble(truth, forecast, m_axis=0, estimator="fair").mean()
    plain = properscoring.crps_ensemble(truth, np.moveaxis(forecast, 0, -1)).mean()
    dims = ("member", "y", "x")
    arrays = xr.DataArray(forecast, dims=dims), xr.DataArray(truth, dims=dims[1:])
    other = float(crps_for_ensemble(*arrays, "member", method="fair"))
    assert finish("crps", state) == pytest.approx(fair, abs=1e-9)
    assert finish("crps", state) == pytest.approx(other, abs=1e-9)
    assert finish("crps_ensemble", state) == pytest.approx(plain, abs=1e-9)
    probability = (forecast >= 1).mean(0)
    event = truth >= 1
    brier = ((probability - event) ** 2).mean()
    assert finish("brier", state)[0, 0] == pytest.approx(brier)


def test_missing_members_reduce_the_count():
    """Each point uses its own m; weatherbench2's skipna kept the nominal one."""
    forecast, truth = with_holes(*wet_fields(shape=(6, 9)))
    values = []
    for y, x in np.ndindex(truth.shape):
        members = forecast[np.isfinite(forecast[:, y, x]), y, x]
        if members.size and np.isfinite(truth[y, x]):
            values.append(properscoring.crps_ensemble(truth[y, x], members))
    state = EnsembleScores().update(forecast, truth)
    assert finish("crps_ensemble", state)[0] == pytest.approx(np.mean(values))
    assert state["count"][0] == len(values)


def test_gaussian_spread_is_calibrated():
    random = np.random.default_rng(0)
    forecast, truth = random.normal(280, 2, (10, 300, 300)), random.normal(280, 2, (300, 300))
    state = EnsembleScores().update(forecast, truth)
    assert finish("spread_skill", state)[0] == pytest.approx(1, abs=0.01)
    expected = 2 / np.sqrt(np.pi)  # CRPS of N(0, 2) against itself
    assert finish("crps", state)[0] == pytest.approx(expected, rel=0.01)


def test_awkward_fields_have_stated_results():
    nothing = np.full((3, 4, 5), np.nan)
    truth = np.zeros((4, 5))
    for forecast, observed in ((nothing, truth), (np.zeros((3, 4, 5)), truth * np.nan)):
        state = EnsembleScores((1.0,)).update(forecast, observed)
        assert state["count"][0] == 0
        for metric in ("crps", "crps_ensemble", "ensemble_rmse", "spread_skill", "brier"):
            assert np.isnan(finish(metric, state)).all(), metric
    constant = EnsembleScores((1.0,)).update(np.zeros((3, 4, 5)), truth)
    assert finish("crps", constant)[0] == 0
    assert np.isnan(finish("spread_skill", constant)[0])
    assert np.isnan(finish("roc_area", constant)[0, 0])
    single = EnsembleScores().update(np.ones((1, 4, 5)), truth)
    assert np.isnan(finish("crps", single)[0])
    assert finish("crps_ensemble", single)[0] == 1
    empty = EnsembleScores((1.0,)).update(np.zeros((3, 0, 5)), np.zeros((0, 5)))
    assert empty["count"][0] == 0


@given(
    order=st.permutations(range(5)),
    cut=st.integers(1, 4),
    seed=st.integers(0, 20),
)
@settings(max_examples=25, deadline=None)
def test_merging_in_any_order_and_grouping_is_scoring_at_once(order, cut, seed):
    forecast, truth = with_holes(*wet_fields(seed, shape=(5, 40)))
    statistic = EnsembleScores((0.0, 1.0))
    rows = [statistic.update(forecast[:, i : i + 1], truth[i : i + 1]) for i in range(5)]
    shuffled = [rows[i] for i in order]
    grouped = merge_all(shuffled[:cut]).merge(merge_all(shuffled[cut:]))
    close(grouped, statistic.update(forecast, truth), 1e-9)
    close(State().merge(grouped).merge(State()), grouped, 0)


def test_torch_gives_the_same_state():
    torch = pytest.importorskip("torch")
    from wxreg.scores.torch_states import ensemble_state

    forecast, truth = with_holes(*wet_fields())
    weights = np.random.default_rng(0).random(truth.shape)
    for w in (None, weights):
        theirs = ensemble_state(
            torch.from_numpy(forecast),
            torch.from_numpy(truth),
            (0.0, 2.0),
            None if w is None else torch.from_numpy(w),
        )
        close(EnsembleScores((0.0, 2.0)).update(forecast, truth, w), theirs)
