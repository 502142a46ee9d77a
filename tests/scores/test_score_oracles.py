"""Our numbers are those of the kept libraries wherever the definition is the same."""

from __future__ import annotations

import numpy as np
import properscoring
import pytest
import scoringrules
import xarray as xr
import xskillscore
from scores.categorical import BinaryContingencyManager
from scores.continuous import quantile_score
from scores.probability import (
    brier_score_for_ensemble,
    rank_histogram,
    relative_economic_value,
    roc_curve_data,
)
from scores.probability import crps_for_ensemble as scores_crps

from wxreg.scores import tables
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.likelihood import kernel_loglik
from wxreg.scores.members import MemberScores
from wxreg.scores.metrics import COST_LOSS, Declared, finish
from wxreg.scores.multivariate import FieldVectors
from wxreg.scores.patterns import pattern_state
from wxreg.scores.quantiles import QuantileLoss, member_quantiles
from wxreg.scores.sal import Sal
from wxreg.scores.spectra import Spectrum
from wxreg.scores.states import State

MEMBERS, SHAPE, LEVELS = 10, (24, 31), (0.1, 0.5, 0.9)
SMALL = {"abs": 1e-6, "rel": 1e-6}


def ensemble(kind: str, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random fields, fields full of ties and zeros, large numbers, and rare spikes."""
    draw = np.random.default_rng(seed)
    made, real = draw.normal(size=(MEMBERS, *SHAPE)), draw.normal(size=SHAPE)
    if kind == "ties":
        made, real = np.round(np.maximum(made, 0)), np.round(np.maximum(real, 0))
    if kind == "large":
        made, real = 1e5 + 30 * made, 1e5 + 30 * real
    if kind == "spikes":
        made, real = np.exp(3 * made), np.exp(3 * real)
    return made, real


KINDS = pytest.mark.parametrize("kind", ["random", "ties", "large", "spikes"])


def named(made: np.ndarray, real: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    return xr.DataArray(made, dims=("member", "y", "x")), xr.DataArray(real, dims=("y", "x"))


def pooled(state: State) -> State:
    """The one bin, and members pooled where there are any."""
    one = state.pool([0])
    return one.pool(range(len(one["weight"]))) if one["weight"].ndim else one


def threshold_of(real: np.ndarray) -> float:
    return float(np.quantile(real, 0.7))


@KINDS
def test_crps_of_four_libraries(kind: str) -> None:
    made, real = ensemble(kind)
    state = EnsembleScores().update(made, real).pool([0])
    m, o = named(made, real)
    plain = float(finish("crps_ensemble", state))
    fair = float(finish("crps", state))
    assert plain == pytest.approx(properscoring.crps_ensemble(real, made, axis=0).mean(), **SMALL)
    assert plain == pytest.approx(float(xskillscore.crps_ensemble(o, m)), **SMALL)
    for form, value in (("ecdf", plain), ("fair", fair)):
        assert value == pytest.approx(float(scores_crps(m, o, "member", method=form)), **SMALL)
    known = scoringrules.crps_ensemble(real, made, m_axis=0, estimator="fair").mean()
    assert fair == pytest.approx(known, **SMALL)


@KINDS
def test_ranks_share_ties_as_scores_does(kind: str) -> None:
    """xskillscore draws ties at random or puts them lowest: only without ties is it the same."""
    made, real = ensemble(kind)
    state = EnsembleScores().update(made, real).pool([0])
    known = rank_histogram(*named(made, real), "member")
    np.testing.assert_allclose(finish("rank_histogram", state), known.values, atol=1e-9)
    if kind == "random":
        m, o = named(made, real)
        counts = xskillscore.rank_histogram(o, m).values
        np.testing.assert_allclose(state["ranks"], counts)


@KINDS
def test_brier_both_forms_and_its_parts(kind: str) -> None:
    made, real = ensemble(kind)
    threshold = threshold_of(real)
    state = EnsembleScores((threshold,)).update(made, real).pool([0])
    m, o = named(made, real)
    for name, fair in (("brier", False), ("brier_fair", True)):
        known = brier_score_for_ensemble(m, o, "member", threshold, fair_correction=fair)
        assert finish(name, state)[0] == pytest.approx(float(known.squeeze()), **SMALL)
    known = properscoring.threshold_brier_score(real, np.moveaxis(made, 0, -1), threshold + 1e-12)
    if kind != "ties":  # properscoring's event is > threshold, ours >=
        assert finish("brier", state)[0] == pytest.approx(known.mean(), **SMALL)
    events, probability = real >= threshold, (made >= threshold).mean(0)
    groups = [(p, probability == p) for p in np.unique(probability)]
    base = events.mean()
    reliability = sum(at.mean() * (p - events[at].mean()) ** 2 for p, at in groups)
    resolution = sum(at.mean() * (events[at].mean() - base) ** 2 for p, at in groups)
    assert finish("brier_reliability", state)[0] == pytest.approx(reliability, **SMALL)
    assert finish("brier_resolution", state)[0] == pytest.approx(resolution, **SMALL)
    assert finish("brier_uncertainty", state)[0] == pytest.approx(base * (1 - base), **SMALL)


@KINDS
def test_reliability_and_roc(kind: str) -> None:
    made, real = ensemble(kind)
    threshold = threshold_of(real)
    state = EnsembleScores((threshold,)).update(made, real).pool([0])
    probability = xr.DataArray((made >= threshold).mean(0), dims=("y", "x"))
    event = xr.DataArray(real >= threshold, dims=("y", "x"))
    edges = (np.arange(MEMBERS + 2) - 0.5) / MEMBERS
    known = xskillscore.reliability(event, probability, probability_bin_edges=edges)
    np.testing.assert_allclose(finish("reliability", state)[0], known.values, atol=1e-6)
    cuts = np.maximum(np.arange(MEMBERS + 1) / MEMBERS - 1e-9, 0)
    curve = roc_curve_data(probability, event.astype(int), cuts)
    pod, pofd = curve.POD.values, curve.POFD.values  # the last is "never", at no probability
    np.testing.assert_allclose(finish("roc_pod", state)[0], pod[:-1], atol=1e-6)
    np.testing.assert_allclose(finish("roc_pofd", state)[0], pofd[:-1], atol=1e-6)
    assert finish("roc_area", state)[0] == pytest.approx(float(curve.AUC), abs=1e-6)


def test_economic_value_is_that_of_the_best_probability() -> None:
    made, real = ensemble("random")
    threshold = threshold_of(real)
    made = made + 2 * real
    state = EnsembleScores((threshold,)).update(made, real).pool([0])
    probability = xr.DataArray((made >= threshold).mean(0), dims=("y", "x"))
    event = xr.DataArray((real >= threshold).astype(float), dims=("y", "x"))
    known = relative_economic_value(
        probability, event, cost_loss_ratios=list(COST_LOSS),
        probability_thresholds=list(np.maximum(np.arange(MEMBERS + 1) / MEMBERS - 1e-9, 0)),
        generate_maximum_rev=True,
    )  # fmt: skip
    found = finish("economic_value", state, Declared())[0]
    # Never acting is one of our choices: theirs falls below zero where it would be the best.
    np.testing.assert_allclose(found, np.maximum(known["maximum"].values, 0), atol=1e-6)


@KINDS
def test_contingency_against_scores(kind: str) -> None:
    made, real = ensemble(kind)
    threshold = threshold_of(real)
    state = pooled(MemberScores((threshold,)).update(made[:1], real))
    manager = BinaryContingencyManager(
        xr.DataArray((made[0] >= threshold).astype(float)),
        xr.DataArray((real >= threshold).astype(float)),
    )
    for name, method in (
        ("csi", "critical_success_index"), ("pod", "probability_of_detection"),
        ("far", "false_alarm_ratio"), ("pofd", "probability_of_false_detection"),
        ("ets", "equitable_threat_score"), ("hss", "heidke_skill_score"),
        ("freq_bias", "frequency_bias"),
    ):  # fmt: skip
        known = float(getattr(manager.transform(), method)())
        assert finish(name, state)[0] == pytest.approx(known, abs=1e-6), name


@KINDS
def test_contingency_against_pysteps(kind: str) -> None:
    from pysteps.verification.detcatscores import det_cat_fct

    made, real = ensemble(kind)
    threshold = threshold_of(real)
    state = pooled(MemberScores((threshold,)).update(made[:1], real))
    # The event of pysteps is > threshold; ours is >=.
    known = det_cat_fct(made[0], real, np.nextafter(threshold, -np.inf))
    for name, theirs in (("csi", "CSI"), ("pod", "POD"), ("far", "FAR"), ("ets", "GSS"),
                         ("hss", "HSS"), ("freq_bias", "BIAS"), ("pofd", "FA")):  # fmt: skip
        assert finish(name, state)[0] == pytest.approx(known[theirs], abs=1e-6), name


@KINDS
def test_errors_and_correlations_against_xskillscore(kind: str) -> None:
    made, real = ensemble(kind)
    origin = float(np.round(real.mean()))
    state = pooled(MemberScores(origin=origin).update(made[:1], real))
    f, o = xr.DataArray(made[0], dims=("y", "x")), xr.DataArray(real, dims=("y", "x"))
    for name, theirs in (("rmse", xskillscore.rmse), ("mae", xskillscore.mae),
                         ("mse", xskillscore.mse), ("bias", xskillscore.me),
                         ("corr", xskillscore.pearson_r)):  # fmt: skip
        known = float(theirs(f, o) if name != "bias" else xskillscore.me(f, o))
        found = float(finish(name, state))
        assert found in (pytest.approx(known, **SMALL), pytest.approx(-known, **SMALL)), name
    assert finish("bias", state) == pytest.approx((made[0] - real).mean(), **SMALL)
    assert finish("r2", state) == pytest.approx(float(xskillscore.r2(o, f)), **SMALL)
    spatial = finish("spatial_corr", pattern_state(made[0], real))
    assert spatial == pytest.approx(float(xskillscore.pearson_r(f, o)), **SMALL)


@KINDS
def test_quantiles_of_members_and_their_loss(kind: str) -> None:
    made, real = ensemble(kind)
    quantiles = member_quantiles(made, LEVELS)
    np.testing.assert_allclose(quantiles, np.quantile(made, LEVELS, axis=0), rtol=1e-12)
    state = QuantileLoss(LEVELS).update(made, real)
    for number, level in enumerate(LEVELS):
        known = quantile_score(xr.DataArray(quantiles[number]), xr.DataArray(real), level)
        assert finish("quantile_loss", state)[number] == pytest.approx(float(known), **SMALL)


def test_vectors_and_densities_against_scoringrules() -> None:
    made, real = ensemble("random")
    state = FieldVectors(points=10_000).update(made, real)
    rows = made.reshape(MEMBERS, -1)
    known = float(scoringrules.es_ensemble(real.ravel(), rows))
    assert finish("energy_score", state) == pytest.approx(known, **SMALL)
    fair = float(scoringrules.es_ensemble(real.ravel(), rows, estimator="fair"))
    assert finish("energy_score_fair", state) == pytest.approx(fair, **SMALL)
    known = float(scoringrules.vs_ensemble(real.ravel(), rows, p=0.5))
    assert finish("variogram_score", state) == pytest.approx(known, rel=1e-6)
    width = 0.6
    known = -scoringrules.logs_ensemble(real, made, bw=np.full(real.shape, width), m_axis=0)
    np.testing.assert_allclose(kernel_loglik(made, real, width), known, atol=1e-6)


@pytest.mark.parametrize("size", [32, 63])
def test_spectrum_against_pysteps_on_square_grids(size: int) -> None:
    """pysteps keeps the mean and rings by rounding; on grids that are not square it is wrong."""
    from pysteps.utils.spectral import rapsd

    field = np.random.default_rng(0).normal(size=(size, size))
    field -= field.mean()
    known = rapsd(field, fft_method=np.fft)
    found = Spectrum(1.0, 1.0, window="none").power(field)
    # Ours is per size of the field squared, theirs per size; ties of half a ring may differ.
    whole = slice(1, size // 2)
    np.testing.assert_allclose(found[whole] * size**2, known[whole], rtol=1e-6)


def test_sal_amplitude_and_centres_against_pysteps() -> None:
    """pysteps scales by pixels and looks for thunderstorms; amplitude and L1 are the same."""
    from pysteps.verification.salscores import _sal_l1_param, sal_amplitude

    draw = np.random.default_rng(4)
    made, real = (np.maximum(draw.normal(size=(60, 60)), 0) * 5 for _ in range(2))
    values = Sal(1.0, 1.0).values(made, real)
    assert values.amplitude == pytest.approx(float(sal_amplitude(made, real)), **SMALL)
    first = _sal_l1_param(made, real)
    second = values.location - first
    assert second == pytest.approx(_scatter(made, real), abs=1e-6)


def _scatter(made: np.ndarray, real: np.ndarray) -> float:
    """L2 by its definition, on plain labels."""
    from scipy.ndimage import center_of_mass, label

    spread = []
    for field in (made, real):
        limit = np.percentile(field[field >= 0.1], 95) / 15
        labels, count = label(field >= limit, np.ones((3, 3)))
        index = np.arange(1, count + 1)
        centres = np.array(center_of_mass(field, labels, index))
        mass = np.array([field[labels == one].sum() for one in index])
        away = np.hypot(*(centres - center_of_mass(field)).T)
        spread.append((mass * away).sum() / mass.sum())
    return float(2 * abs(spread[0] - spread[1]) / np.hypot(60, 60))


def test_count_table_is_all_that_is_needed() -> None:
    made, real = ensemble("random")
    state = EnsembleScores((0.0,)).update(made, real).pool([0])
    assert finish("exceedance", state)[0] == pytest.approx((made >= 0).mean())
    assert finish("base_rate", state)[0] == pytest.approx((real >= 0).mean())
    assert tables.rank_reliability_index(state["ranks"]) == finish("rank_reliability", state)
