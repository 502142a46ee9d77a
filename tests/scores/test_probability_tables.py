"""Count tables, Hersbach, likelihoods, energy and variogram, spread and error."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy.stats import norm

from wxreg.scores import tables
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.hersbach import CrpsDecomposition
from wxreg.scores.likelihood import (
    EnsembleLogLikelihood,
    gaussian_crps,
    gaussian_loglik,
    kernel_loglik,
)
from wxreg.scores.metrics import finish
from wxreg.scores.multivariate import energy_score, variogram_score, vector_rmse, vector_state
from wxreg.scores.spread_error import SpreadError, spread_curve, spread_error_correlation


def table(seed=0, members=6):
    random = np.random.default_rng(seed)
    shift = random.normal(0, 1, (50, 60))
    forecast = shift + random.normal(0, 1, (members, 50, 60))
    truth = shift + random.normal(0, 1, (50, 60))
    return EnsembleScores((0.5,)).update(forecast, truth), forecast, truth


def test_brier_parts_add_up_exactly():
    state, _, _ = table()
    parts = tables.brier_decomposition(state["table"])
    total = parts.reliability - parts.resolution + parts.uncertainty
    np.testing.assert_allclose(total, tables.brier(state["table"]), rtol=1e-12)


def test_fair_brier_against_the_ensemble_definition():
    state, forecast, truth = table()
    p, e = (forecast >= 0.5).mean(0), truth >= 0.5
    expected = ((p - e) ** 2 - p * (1 - p) / (len(forecast) - 1)).mean()
    assert finish("brier_fair", state)[0, 0] == pytest.approx(expected)
    assert np.isnan(tables.brier_fair(np.ones((2, 2)))).all()


def test_roc_area_is_the_rank_statistic():
    state, forecast, truth = table()
    p, e = (forecast >= 0.5).mean(0).ravel(), (truth >= 0.5).ravel()
    gap = np.subtract.outer(p[e], p[~e])
    assert finish("roc_area", state)[0, 0] == pytest.approx(((gap > 0) + (gap == 0) / 2).mean())


def test_reliability_bars_hold_a_reliable_forecast():
    random = np.random.default_rng(0)
    k = random.integers(0, 11, 20000)
    event = (random.random(k.size) < k / 10).astype(int)
    counts = np.zeros((11, 2), np.int64)
    np.add.at(counts, (k, event), 1)
    diagram = tables.reliability(counts, 0.99)
    assert ((diagram.observed >= diagram.low) & (diagram.observed <= diagram.high)).mean() > 0.8
    assert np.isnan(tables.reliability(np.zeros((3, 2))).observed).all()


def test_economic_value_limits():
    perfect = np.array([[60, 0], [0, 40]])
    np.testing.assert_allclose(tables.economic_value(perfect, np.array([0.2, 0.4, 0.7])), 1)
    useless = np.array([[30, 20], [30, 20]])
    np.testing.assert_allclose(
        tables.economic_value(useless, np.array([0.2, 0.4, 0.7])), 0, atol=1e-12
    )


def test_hersbach_parts_add_up_to_the_crps():
    _, forecast, truth = table()
    statistic = CrpsDecomposition(tuple(np.linspace(-8, 8, 20001)))
    halves = [statistic.update(forecast[:, at], truth[at]) for at in (np.s_[:20], np.s_[20:])]
    parts = statistic.parts(halves[0].merge(halves[1]))
    crps = scoringrules.crps_ensemble(truth, forecast, m_axis=0, estimator="nrg").mean()
    assert parts.crps == pytest.approx(crps, abs=1e-9)
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(crps)
    ordered, n = np.sort(truth, axis=None), truth.size
    climate = ((2 * np.arange(n) + 1 - n) * ordered).sum() / n**2  # half the mean pair distance
    assert parts.uncertainty == pytest.approx(climate, abs=1e-3)
    assert parts.resolution > 0
    assert np.isnan(statistic.parts(statistic.update(forecast * np.nan, truth)).crps)


def test_gaussian_scores():
    random = np.random.default_rng(0)
    mean, sigma, truth = random.normal(size=100), random.random(100) + 0.1, random.normal(size=100)
    np.testing.assert_allclose(
        gaussian_loglik(mean, sigma, truth), norm.logpdf(truth, mean, sigma), atol=1e-9
    )
    np.testing.assert_allclose(
        gaussian_crps(mean, sigma, truth), scoringrules.crps_normal(truth, mean, sigma), atol=1e-9
    )
    assert np.isnan(gaussian_crps(0.0, 0.0, 1.0))


def test_kernel_likelihood_by_definition():
    members, truth = np.array([0.0, 1.0, np.nan, 3.0]), np.array(0.5)
    expected = np.log(norm.pdf(0.5, [0, 1, 3], 0.7).mean())
    assert kernel_loglik(members, truth, 0.7) == pytest.approx(expected)
    assert np.isnan(kernel_loglik(np.zeros(4), truth))
    state = EnsembleLogLikelihood().update(np.zeros((4, 2, 2)), np.zeros((2, 2)))
    assert state["undefined"] == 4
    assert np.isnan(finish("loglik", state))


def test_energy_and_variogram_against_scoringrules():
    random = np.random.default_rng(0)
    forecast, truth = random.normal(size=(8, 12)), random.normal(size=12)
    assert energy_score(forecast, truth) == pytest.approx(
        float(scoringrules.es_ensemble(truth, forecast)), abs=1e-9
    )
    assert variogram_score(forecast, truth) == pytest.approx(
        float(scoringrules.vs_ensemble(truth, forecast, p=0.5)), abs=1e-9
    )
    assert np.isnan(energy_score(forecast * np.nan, truth))
    assert np.isnan(energy_score(forecast[:1], truth, fair=True))


def test_vector_error_is_not_the_mean_length():
    u, v = np.array([3.0, 0.0, np.nan]), np.array([4.0, 0.0, 0.0])
    state = vector_state((u, v), (np.zeros(3), np.zeros(3)))
    assert vector_rmse(state) == pytest.approx(np.sqrt(25 / 2))
    assert state["count"] == 2


def test_spread_that_knows_the_error():
    random = np.random.default_rng(0)
    spread = random.uniform(0.5, 3, (200, 200))
    truth = random.normal(0, spread)
    state = SpreadError((0, 1, 2, 3)).update(np.zeros_like(spread), spread, truth)
    curve = spread_curve(state)
    np.testing.assert_allclose(curve.error, curve.spread, rtol=0.05)
    expected = np.corrcoef(spread.ravel(), np.abs(truth).ravel())[0, 1]
    assert spread_error_correlation(state) == pytest.approx(expected)
    flat = SpreadError((0, 1)).update(truth * 0, truth * 0 + 0.3, truth)
    assert np.isnan(spread_error_correlation(flat))
