"""On Gaussian data the best denoiser is known, and so is what every sampler must return."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from wxreg.models.samplers.ddim import ddim, velocity_target
from wxreg.models.samplers.edm import SOLVERS
from wxreg.models.samplers.schedules import cosine_signal, karras_sigmas, uniform_times

MEAN, STD = 0.7, 1.3


def best_denoiser(x: Tensor, sigma: Tensor) -> Tensor:
    return MEAN + STD**2 / (STD**2 + sigma**2) * (x - MEAN)


def best_velocity(x: Tensor, time: Tensor) -> Tensor:
    signal, amount = cosine_signal(time)
    variance = (signal * STD) ** 2 + amount**2
    clean = MEAN + signal * STD**2 / variance * (x - signal * MEAN)
    noise = amount / variance * (x - signal * MEAN)
    return signal * noise - amount * clean


@pytest.mark.parametrize("name", SOLVERS)
def test_more_steps_come_nearer_to_the_distribution(name: str) -> None:
    noise = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    errors = []
    for steps in (6, 12, 48):
        drawn = SOLVERS[name](best_denoiser, noise, karras_sigmas(steps, 0.01, 200.0))
        errors.append(abs(float(drawn.std() / noise.std()) - STD))
        assert abs(float(drawn.mean()) - MEAN) < 0.08
    assert errors[2] < (0.08 if name == "euler" else 0.01)
    assert errors[2] < max(errors[:2])


@pytest.mark.parametrize("steps", [10, 25, 100, 1000])
def test_the_strided_sampler_is_right_for_any_number_of_steps(steps: int) -> None:
    noise = torch.randn(20_000, generator=torch.Generator().manual_seed(1))
    drawn = ddim(best_velocity, noise, uniform_times(steps))
    assert abs(float(drawn.mean()) - MEAN) < 0.15 * 10 / steps + 0.02
    assert abs(float(drawn.std()) - STD) < 0.4 * 10 / steps + 0.02


def test_the_last_time_holds_no_signal_at_all() -> None:
    clean, noise = torch.full((2, 3), 1e6), torch.randn(2, 3)
    noisy, velocity = velocity_target(clean, noise, torch.ones(2))
    assert torch.equal(noisy, noise)
    assert torch.equal(velocity, -clean)


def test_noise_levels_fall_from_far_above_the_signal_to_nothing() -> None:
    sigmas = karras_sigmas(12, 0.02, 80.0)
    assert sigmas[0] == pytest.approx(80.0)
    assert sigmas[-1] == 0
    assert bool((sigmas[1:] < sigmas[:-1]).all())
