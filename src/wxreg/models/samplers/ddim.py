"""The strided sampler of the variance-preserving form.

Each step goes from one kept time to the next with the amplitudes of those two times, so any
number of steps is a correct discretisation; the ratios of adjacent training steps are never
used.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from wxreg.models.samplers.schedules import cosine_signal

Velocity = Callable[[Tensor, Tensor], Tensor]
"""``v = signal * noise - noise_amplitude * clean`` predicted at a time."""


def velocity_target(clean: Tensor, noise: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """The noisy field at each sample's time and the velocity to predict there."""
    shape = (-1, *[1] * (clean.dim() - 1))
    signal, amount = (part.reshape(shape) for part in cosine_signal(times))
    return signal * clean + amount * noise, signal * noise - amount * clean


def ddim(predict: Velocity, noise: Tensor, times: Tensor) -> Tensor:
    """Walk ``times`` from 1 down to 0; deterministic given the noise."""
    x = noise
    for now, after in pairwise(times):
        velocity = predict(x, now)
        signal, amount = cosine_signal(now)
        clean = signal * x - amount * velocity
        draw = amount * x + signal * velocity
        later_signal, later_amount = cosine_signal(after)
        x = later_signal * clean + later_amount * draw
    return x
