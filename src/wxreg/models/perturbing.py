"""Ensembles from perturbed inputs: one forecaster, and inputs that differ by member."""

from __future__ import annotations

from dataclasses import replace

import torch

from wxreg.models.forecaster import Batch, Blueprint, Noise
from wxreg.models.normalising import Normaliser
from wxreg.models.views import View, repeat_members


def perturb_inputs(
    batch: Batch, blueprint: Blueprint, members: int, noise: Noise, size: float
) -> View:
    """The batch of every member, side by side, with normal noise on the normalised inputs.

    ``size`` is its standard deviation, so that reflectivity and temperature are moved alike.
    All members are perturbed, and so exchangeable; missing inputs stay missing.
    """
    repeated = repeat_members(batch, members)
    normaliser = Normaliser(blueprint.inputs, blueprint.numbers_of_inputs).to(batch.inputs.device)
    drawn = noise.normal(tuple(repeated.inputs.shape[1:]), repeated.inputs)
    scaled = normaliser.normalise(repeated.inputs, repeated.input_mask)
    moved = normaliser.invert(scaled + size * drawn)
    return replace(repeated, inputs=torch.where(repeated.input_mask, moved, repeated.inputs))
