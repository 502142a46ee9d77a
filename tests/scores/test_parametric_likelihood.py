"""The log-likelihood of forecasts that know the density behind each member."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from wxreg.scores.metrics import finish
from wxreg.scores.parametric import NormalHead
from wxreg.scores.states import State

DRAW = np.random.default_rng(3)
SHAPE = (4, 5, 6)
HEADS = {
    "identity": NormalHead(),
    "clip": NormalHead("clip", -90.0, 90.0),
    "log1p": NormalHead("log1p"),
    "sqrt": NormalHead("sqrt"),
    "logit": NormalHead("logit", 0.0, 100.0),
}
INSIDE = {"identity": (-5, 5), "clip": (-5, 5), "log1p": (0, 30), "sqrt": (1, 9), "logit": (5, 95)}


def test_one_member_has_the_density_of_scipy() -> None:
    mean, spread = DRAW.normal(size=SHAPE), DRAW.uniform(0.5, 2, SHAPE)
    truth = DRAW.normal(size=SHAPE[1:])
    found = NormalHead().loglik(mean[:1], spread[:1], truth)
    np.testing.assert_allclose(found, stats.norm.logpdf(truth, mean[0], spread[0]), atol=1e-12)


def test_of_several_members_the_densities_are_averaged_and_not_their_logarithms() -> None:
    mean, spread = DRAW.normal(size=SHAPE), DRAW.uniform(0.5, 2, SHAPE)
    truth = DRAW.normal(size=SHAPE[1:])
    known = np.log(stats.norm.pdf(truth, mean, spread).mean(0))
    np.testing.assert_allclose(NormalHead().loglik(mean, spread, truth), known, atol=1e-12)


def test_a_normal_density_of_log1p_is_a_shifted_lognormal_density_of_rain() -> None:
    mean, spread, rain = np.array([0.7]), np.array([0.4]), np.array(2.5)
    known = stats.lognorm.logpdf(rain, 0.4, loc=-1, scale=np.exp(0.7))
    assert NormalHead("log1p").loglik(mean, spread, rain) == pytest.approx(known)


@pytest.mark.parametrize("name", HEADS)
def test_the_slope_of_every_transform_counts(name: str) -> None:
    """Between two physical values lies as much as the normal density has between their images."""
    head, (low, high) = HEADS[name], INSIDE[name]
    mean, spread = np.array([0.6, 1.2]), np.array([0.8, 1.1])

    def density(value: float) -> float:
        return float(np.exp(head.loglik(mean, spread, np.array(value))))

    images = {"log1p": np.log1p, "sqrt": np.sqrt, "logit": lambda x: np.log(x / (100 - x))}
    image = images.get(name, lambda x: x)
    known = np.diff([stats.norm.cdf(image(end), mean, spread).mean() for end in (low, high)])
    assert quad(density, low, high)[0] == pytest.approx(known[0], abs=1e-6)


def test_members_without_numbers_are_left_out_and_points_without_any_are_nan() -> None:
    mean, spread = np.zeros((3, 4)), np.ones((3, 4))
    mean[1, 0], spread[2, 0], spread[:, 1] = np.nan, np.nan, 0.0
    truth = np.array([0.5, 0.5, np.nan, 0.5])
    found = NormalHead().loglik(mean, spread, truth)
    known = stats.norm.logpdf(0.5)
    np.testing.assert_allclose(found, [known, np.nan, np.nan, known])
    state = NormalHead().state(mean, spread, truth)
    assert (state["count"], state["undefined"]) == (2, 2)
    assert finish("loglik_parametric", state) == pytest.approx(known)


def test_values_that_a_transform_cannot_have_are_undefined() -> None:
    mean, spread = np.array([0.0]), np.array([1.0])
    for head, value in (("log1p", -0.1), ("sqrt", 0.0), ("logit", 100.0), ("clip", 91.0)):
        assert np.isnan(HEADS[head].loglik(mean, spread, np.array(value)))


def test_far_away_truth_has_a_finite_likelihood() -> None:
    found = NormalHead().loglik(np.array([0.0, 1.0]), np.array([1e-3, 1e-3]), np.array(50.0))
    assert np.isfinite(found) and found < -1e8


def test_parts_merge_to_the_whole_in_any_order() -> None:
    mean, spread = DRAW.normal(size=SHAPE), DRAW.uniform(0.5, 2, SHAPE)
    truth, weights = DRAW.normal(size=SHAPE[1:]), DRAW.uniform(0, 1, SHAPE[1:])
    head = NormalHead()
    parts = [head.state(mean[:, n : n + 1], spread[:, n : n + 1], truth[n : n + 1],
                        weights[n : n + 1]) for n in range(SHAPE[1])]  # fmt: skip
    merged = State()
    for part in reversed(parts):
        merged = merged.merge(part)
    whole = head.state(mean, spread, truth, weights)
    for name in whole.arrays:
        np.testing.assert_allclose(merged[name], whole[name], rtol=1e-12)
