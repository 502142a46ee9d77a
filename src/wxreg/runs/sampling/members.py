"""The members of one forecast: computed in blocks of the declared size, whatever is asked for."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from wxreg.data.batches import WindowBatch
from wxreg.models.ensembles import CheckpointEnsemble
from wxreg.models.forecaster import Batch, Forecaster
from wxreg.models.noise import MemberNoise
from wxreg.models.perturbing import perturb_inputs
from wxreg.models.rollout import roll_out
from wxreg.specs.plan import SamplePlan


def member_block(
    forecaster: Forecaster, batch: WindowBatch, plan: SamplePlan, first: int
) -> NDArray[np.float32]:
    """Members ``first`` and following of one init ``(M, L, D, Y, X)``.

    A full member batch is always computed, so that the last block's bits do not depend on how
    many members were asked for; what is too much is left out.
    """
    size = plan.sampling.member_batch
    noise = MemberNoise(plan.seed, batch.time.tolist(), size, first, batch.segment.tolist())
    torch.manual_seed(plan.seed)
    with torch.inference_mode():
        if plan.sampling.strategy == "perturbed-inputs":
            moved = plan.sampling.perturbation
            each = perturb_inputs(batch, forecaster.blueprint, size, noise, moved)
            made = _forecasts(forecaster, each, plan, 1, noise)[:, 0]
        else:
            made = _forecasts(forecaster, batch, plan, size, noise)[0]
    wanted = min(size, plan.sampling.members - first)
    return np.ascontiguousarray(made[:wanted].float().cpu().numpy())


def _forecasts(
    forecaster: Forecaster, batch: Batch, plan: SamplePlan, members: int, noise: MemberNoise
) -> torch.Tensor:
    """All asked leads ``(B, M, L, D, Y, X)``, step by step where the model rolls out.

    Each checkpoint of an ensemble is rolled out by itself, with the noise of its own member.
    """
    if isinstance(forecaster, CheckpointEnsemble):
        each = enumerate(forecaster.first(members))
        own = [_forecasts(one, batch, plan, 1, noise.of_member(n)) for n, one in each]
        return torch.cat(own, dim=1)
    if plan.lead.mode != "rollout":
        made = forecaster.sample(batch, members, noise)
        return made[:, :, _asked(plan)] if made.shape[2] != len(plan.leads) else made
    wanted = {plan.lead.step.steps_in(lead) for lead in plan.leads}
    steps = roll_out(forecaster, batch, members, noise, max(wanted))
    return torch.stack([made for step, made in enumerate(steps, 1) if step in wanted], dim=2)


def _asked(plan: SamplePlan) -> list[int]:
    """Which of the leads that a joint model always makes were asked for."""
    return [plan.lead.trained.index(lead) for lead in plan.leads]
