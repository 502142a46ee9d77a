"""Trainings of a minute or less that must beat the baseline of their task on held-out days."""

from __future__ import annotations

import pytest
import torch
from small_worlds import (
    crop,
    hilly_batch,
    hilly_blueprint,
    hilly_days,
    storm_batch,
    storm_blueprint,
    storm_events,
)

from wxreg.models.building import build
from wxreg.models.convolution_blocks import block_mean
from wxreg.models.forecaster import LossTerm
from wxreg.models.noise import MemberNoise

pytestmark = pytest.mark.slow
MEMBERS = 6
SMALL_DIFFUSION = {"base": 12, "mean_base": 12, "depth": 2, "widest": 2}


def train(forecaster, batch, *, steps: int, rate: float, size: int, tile: int = 0, factor: int = 8):
    generator = torch.Generator().manual_seed(0)
    weights = [p for p in forecaster.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    forecaster.train()
    for _ in range(steps):
        rows = torch.randperm(len(batch.inputs), generator=generator)[:size]
        chosen = batch.pick(rows)
        if tile:
            chosen = crop(chosen, tile, factor, generator)
        optimiser.zero_grad()
        forecaster.loss(chosen, generator).total.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
    return forecaster.eval()


@torch.no_grad()
def forecasts(forecaster, batch, members: int = 1):
    return forecaster.sample(batch, members, MemberNoise(0, batch.time.tolist(), members))


def rmse(one, other) -> float:
    return float((one - other).square().mean().sqrt())


def fair_crps(members, truth) -> float:
    count = members.shape[1]
    ordered = members.sort(dim=1).values
    weights = (2 * torch.arange(1, count + 1) - count - 1).reshape(1, -1, *[1] * (truth.dim() - 1))
    spread = (ordered * weights).sum(dim=1) / (count * (count - 1))
    return float(((members - truth[:, None]).abs().mean(dim=1) - spread).mean())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("nowcastnet", {"base": 8, "dilations": (1, 2, 3, 2, 1)}),
        ("convlstm", {"hidden": 24, "layers": 1, "kernel": 5}),
    ],
)
def test_nowcasts_beat_persistence_on_new_events(name: str, settings: dict) -> None:
    train_batch = storm_batch(storm_events(50, seed=1), 13, 12, ("vil",))
    test_batch = storm_batch(storm_events(12, seed=2), 13, 12, ("vil",))
    forecaster = build(storm_blueprint(name, settings), 0)
    train(forecaster, train_batch, steps=60, rate=3e-3, size=4)
    still = forecasts(build(storm_blueprint("persistence", {})), test_batch)[:, 0]
    shown = forecasts(forecaster, test_batch)[:, 0]
    assert rmse(shown, test_batch.target) < 0.9 * rmse(still, test_batch.target)


@pytest.mark.parametrize(
    ("name", "settings", "factor"),
    [
        ("harpnet", {"base": 12, "levels": 3, "halo": 4}, 4),
        ("downscaling-unet", {"base": 16, "levels": 3}, 8),
    ],
)
def test_downscalers_beat_interpolation_on_new_days(name, settings, factor) -> None:
    train_batch = hilly_batch(hilly_days(85, seed=1), factor)
    test_batch = hilly_batch(hilly_days(10, seed=2), factor)
    forecaster = build(hilly_blueprint(name, settings, factor=factor), 0)
    train(forecaster, train_batch, steps=120, rate=2e-3, size=8, tile=64, factor=factor)
    plain = forecasts(build(hilly_blueprint("bilinear", {}, factor=factor)), test_batch)[:, 0]
    shown = forecasts(forecaster, test_batch)[:, 0]
    for place in range(2):
        truth = test_batch.target[:, :, place]
        assert rmse(shown[:, :, place], truth) < 0.9 * rmse(plain[:, :, place], truth)


def test_a_diffusion_ensemble_is_sharp_conditional_and_survives_distillation() -> None:
    sampler = {"name": "heun", "steps": 18}
    train_batch, test_batch = (
        hilly_batch(hilly_days(85, seed=1)),
        hilly_batch(hilly_days(8, seed=2)),
    )
    teacher = build(hilly_blueprint("corrdiff", SMALL_DIFFUSION, sampler=sampler), 0)
    train(teacher, train_batch, steps=300, rate=2e-3, size=8, tile=64)
    settings = {**SMALL_DIFFUSION, "teacher_steps": 18, "student_steps": 2}
    student = build(hilly_blueprint("corrdiff-fast", settings, sampler=sampler), 0)
    student.adopt(teacher.state_dict())
    train(student, train_batch, steps=120, rate=5e-4, size=8, tile=64)
    shuffled = test_batch.pick(torch.arange(8).roll(3))
    drawn = forecasts(teacher, test_batch, MEMBERS)
    fast = forecasts(student, test_batch, MEMBERS)
    misled = forecasts(teacher, shuffled, MEMBERS)
    plain = forecasts(build(hilly_blueprint("bilinear", {})), test_batch)[:, 0]
    for place in range(2):
        truth = test_batch.target[:, :, place]
        crps = fair_crps(drawn[:, :, :, place], truth)
        assert crps < 0.8 * float((plain[:, :, place] - truth).abs().mean())
        assert fair_crps(misled[:, :, :, place], truth) > 1.2 * crps
        assert fair_crps(fast[:, :, :, place], truth) < 1.1 * crps
        member_variance = drawn[:, :, :, place].var(dim=1).mean()
        spread = ((MEMBERS + 1) / MEMBERS * member_variance).sqrt()
        assert 0.5 < spread / rmse(drawn[:, :, :, place].mean(dim=1), truth) < 1.5


def test_the_physics_loss_keeps_block_means_and_costs_little() -> None:
    """With the penalty the fine rain adds up to the coarse rain more closely than without."""
    train_batch, test_batch = (
        hilly_batch(hilly_days(85, seed=1)),
        hilly_batch(hilly_days(10, seed=2)),
    )
    kept = LossTerm("conservation", 0.3, {"variables": ("precip_24h",), "relative": 0.02})
    shown = {}
    for name, losses in (("off", ()), ("on", (kept,))):
        blueprint = hilly_blueprint(
            "downscaling-unet", {"base": 12, "levels": 2}, losses=(LossTerm("mse"), *losses)
        )
        forecaster = train(build(blueprint, 0), train_batch, steps=80, rate=2e-3, size=8, tile=64)
        shown[name] = forecasts(forecaster, test_batch)[:, 0, 0, 0]
    coarse = test_batch.inputs[:, 0, 0]
    departures = {name: rmse(block_mean(rain, 8), coarse) for name, rain in shown.items()}
    errors = {name: rmse(rain, test_batch.target[:, 0, 0]) for name, rain in shown.items()}
    assert departures["on"] < 0.7 * departures["off"]
    assert errors["on"] < 1.05 * errors["off"]


def test_a_heteroscedastic_head_knows_where_rain_is_uncertain() -> None:
    """Its likelihood beats that of one spread for all cells, the best of the training days."""
    train_batch, test_batch = (
        hilly_batch(hilly_days(85, seed=1)),
        hilly_batch(hilly_days(10, seed=2)),
    )
    blueprint = hilly_blueprint(
        "downscaling-unet",
        {"base": 12, "levels": 2, "heteroscedastic": True},
        losses=(LossTerm("gaussian-nll"),),
    )
    forecaster = train(build(blueprint, 0), train_batch, steps=120, rate=2e-3, size=8, tile=64)

    def errors(batch) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            departures, spread = forecaster.predict(forecaster.space.planes(batch), None)
            truth, _ = forecaster.space.encode(batch, forecaster.space.base(batch))
        return (departures - truth)[:, 0], spread[:, 0].exp()

    one_spread = errors(train_batch.pick(slice(0, 20)))[0].square().mean().sqrt()
    error, spread = errors(test_batch)
    with_head = torch.distributions.Normal(0, spread).log_prob(error).mean()
    assert with_head > torch.distributions.Normal(0, one_spread).log_prob(error).mean()
