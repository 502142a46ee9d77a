from __future__ import annotations

from dataclasses import replace

import pytest
import scoringrules
import torch

from wxreg.errors import Incompatible, UsageError
from wxreg.models.forecaster import Channel, ChannelStatistics, LossTerm
from wxreg.models.losses.combining import CombinedLoss, gradient_shares
from wxreg.models.losses.fields import Fields
from wxreg.models.normalising import Normaliser
from wxreg.specs.architecture import LOSSES

NAMES = ("refc", "cape_sb", "cin_sb", "maxuvv", "t2m", "precip_24h")
TARGETS = tuple(Channel(name) for name in NAMES)
SETTINGS: dict[str, dict[str, object]] = {
    "bounds": {"bounds": {"cape_sb": [0, None]}},
    "conservation": {"variables": ["precip_24h"]},
    "shifted-gamma-nll": {"variable": "precip_24h"},
}
POINTWISE = ("mse", "physical-mse", "mae", "huber", "gaussian-nll", "spectral")


def fields(seed: int = 0) -> Fields:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 1, len(NAMES), 16, 16)
    prediction = torch.randn(shape, generator=generator, requires_grad=True)
    target = torch.randn(shape, generator=generator)
    return Fields(
        prediction, target, torch.ones(shape, dtype=torch.bool), TARGETS, lambda x: x * 10,
        spread=torch.zeros(shape), coarse=torch.ones(2, 1, len(NAMES), 4, 4),
        physical_spread=torch.full((len(NAMES), 1, 1), 10.0),
    )  # fmt: skip


def term(name: str) -> torch.nn.Module:
    return LOSSES.find(name).load()(SETTINGS.get(name, {}))


@pytest.mark.parametrize("name", ["mse", "physical-mse", "mae", "huber", "spectral"])
def test_a_perfect_forecast_costs_nothing(name: str) -> None:
    given = fields()
    assert float(term(name)(replace(given, prediction=given.target))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", POINTWISE)
def test_masked_cells_neither_cost_nor_pull(name: str) -> None:
    given = fields()
    mask = given.mask.clone()
    mask[..., :5, :] = False
    wild = torch.where(mask, given.target, torch.tensor(1e6))
    loss = term(name)(replace(given, mask=mask, target=wild))
    tame = term(name)(replace(given, mask=mask))
    assert loss.item() == pytest.approx(tame.item(), rel=1e-5)
    (pull,) = torch.autograd.grad(loss, given.prediction)
    assert float(pull[..., :5, :].abs().max()) == 0


def test_the_physical_mean_square_is_smallest_at_the_mean_amount() -> None:
    """Of a skewed amount the logarithm's mean lies below the mean; `mse` would choose that."""
    amounts = torch.tensor([0.0, 1.0, 20.0]).reshape(3, 1, 1, 1, 1).expand(3, 1, 1, 4, 4)
    target = amounts.log1p()

    def cost(name: str, amount: float) -> float:
        guess = torch.full_like(target, amount).log1p()
        mask = torch.ones_like(target, dtype=torch.bool)
        spread = torch.ones(1, 1, 1)
        given = Fields(guess, target, mask, TARGETS[-1:], torch.expm1, physical_spread=spread)
        return float(LOSSES.find(name).load()({})(given))

    guesses = [0.5 * n for n in range(1, 30)]
    assert min(guesses, key=lambda amount: cost("physical-mse", amount)) == 7.0
    assert min(guesses, key=lambda amount: cost("mse", amount)) < 4.0


@pytest.mark.parametrize("name", ["mse", "physical-mse", "mae", "huber", "gaussian-nll"])
def test_the_mean_over_halves_of_a_batch_is_the_loss_of_the_whole(name: str) -> None:
    """Devices and accumulated steps see parts of one declared batch, and parts differ."""
    generator = torch.Generator().manual_seed(3)
    rain = Normaliser([Channel("rain")], {"rain": ChannelStatistics(0.4, 0.7, "log1p")})
    target = torch.randn(4, 1, 1, 8, 8, generator=generator)
    target[2:] *= 5
    prediction = torch.randn(target.shape, generator=generator)

    def cost(part: slice) -> float:
        given = Fields(
            prediction[part], target[part], torch.ones_like(target[part], dtype=torch.bool),
            rain.channels, rain.invert, spread=torch.zeros_like(target[part]),
            physical_spread=rain.physical_spread,
        )  # fmt: skip
        return float(term(name)(given))

    halves = [cost(slice(0, 2)), cost(slice(2, 4))]
    assert halves[1] > 1.5 * halves[0], "this test could not fail"
    assert cost(slice(0, 4)) == pytest.approx(sum(halves) / 2, rel=1e-5)


def test_physical_amounts_without_the_spread_of_their_statistics_are_refused() -> None:
    with pytest.raises(Incompatible, match="needs the spread"):
        term("physical-mse")(replace(fields(), physical_spread=None))


def test_the_gaussian_likelihood_is_that_of_torch_and_smallest_at_the_true_spread() -> None:
    given = fields()
    log_spread = torch.linspace(-1, 1, given.target.numel()).reshape(given.target.shape)
    found = term("gaussian-nll")(replace(given, spread=log_spread))
    law = torch.distributions.Normal(given.prediction, log_spread.exp())
    torch.testing.assert_close(found, -law.log_prob(given.target).mean())
    size = (given.prediction - given.target).square().mean().sqrt().log()
    costs = [
        float(term("gaussian-nll")(replace(given, spread=torch.full_like(log_spread, float(s)))))
        for s in (size - 0.2, size, size + 0.2)
    ]
    assert costs[1] < min(costs[0], costs[2])


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_the_almost_fair_crps_lies_between_both_crps(alpha: float) -> None:
    ensemble = torch.randn(3, 5, 1, 6, 4, 4, generator=torch.Generator().manual_seed(2))
    given = replace(fields(), prediction=ensemble, target=torch.randn(3, 1, 6, 4, 4),
                    mask=torch.ones(3, 1, 6, 4, 4, dtype=torch.bool))  # fmt: skip
    loss = LOSSES.find("almost-fair-crps").load()({"alpha": alpha})(given)
    expected = scoringrules.crps_ensemble(
        given.target.numpy(), ensemble.numpy(), m_axis=1,
        estimator="fair" if alpha else "nrg",
    ).mean()  # fmt: skip
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_one_member_has_no_crps() -> None:
    with pytest.raises(Incompatible, match="fewer than two"):
        term("almost-fair-crps")(fields())


def test_the_shifted_gamma_likelihood_is_smallest_at_the_truth() -> None:
    truth, shift = torch.distributions.Gamma(2.0, 0.5), 1.0
    torch.manual_seed(0)
    rain = (truth.sample((1, 1, 1, 80, 80)) - shift).clamp(min=0)

    def loss(mean: float, spread: float) -> float:
        given = Fields(
            torch.full_like(rain, mean - shift), rain, torch.ones_like(rain, dtype=torch.bool),
            (Channel("r"),), lambda x: x, spread=torch.full_like(rain, spread).log(),
        )  # fmt: skip
        settings = {"variable": "r", "shift": shift}
        return float(LOSSES.find("shifted-gamma-nll").load()(settings)(given))

    best = loss(4.0, 8**0.5)
    assert best < min(loss(3.0, 8**0.5), loss(5.0, 8**0.5), loss(4.0, 2.0), loss(4.0, 4.0))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("bounds", {"cape_sb": 5.0}, {"cape_sb": -5.0}),
        ("cape-cin", {"cape_sb": 5.0, "cin_sb": -5.0}, {"cape_sb": 5.0, "cin_sb": 5.0}),
        ("clausius-clapeyron", {"precip_24h": 50.0, "t2m": 290.0},
         {"precip_24h": 500.0, "t2m": 290.0}),
        ("reflectivity-updraft", {"refc": 30.0, "maxuvv": 30.0}, {"refc": -10.0, "maxuvv": 30.0}),
        ("conservation", {"precip_24h": 1.0}, {"precip_24h": 3.0}),
    ],
)  # fmt: skip
def test_physics_costs_only_what_cannot_be(
    name: str, right: dict[str, float], wrong: dict[str, float]
) -> None:
    def cost(values: dict[str, float]) -> float:
        base = {"cin_sb": -1.0, "t2m": 280.0, **values}
        planes = torch.tensor([base.get(name, 0.0) for name in NAMES]).reshape(-1, 1, 1)
        given = replace(fields(), to_physical=lambda x: torch.zeros_like(x) + planes)
        return float(term(name)(given))

    assert cost(right) == 0
    assert cost(wrong) > 0


def test_reflectivity_may_be_negative() -> None:
    given = replace(fields(), to_physical=lambda x: torch.zeros_like(x) - 10)
    assert float(LOSSES.find("reflectivity-updraft").load()({})(given)) == 0


def test_a_loss_of_a_variable_that_is_not_predicted_is_refused() -> None:
    with pytest.raises(Incompatible, match="storm-motion needs u10"):
        term("storm-motion")(fields())


def test_declared_weights_sum_and_shares_tell_who_pulls() -> None:
    given = fields()
    combined = CombinedLoss([LossTerm("mse", 2.0), LossTerm("mae", 0.0)], TARGETS)
    report = combined(given)
    assert float(report.total) == pytest.approx(2 * float(report.terms["mse"]))
    shares = gradient_shares(report, combined.weights, [given.prediction])
    assert shares == {"mse": pytest.approx(1.0), "mae": 0.0}


def test_a_wrong_setting_or_a_loss_declared_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="delt"):
        LOSSES.find("huber").load()({"delt": 1})
    with pytest.raises(UsageError, match="twice"):
        CombinedLoss([LossTerm("mse"), LossTerm("mse")], TARGETS)
