"""The forecaster of a sample plan: its weights, in the declared numbers, compiled, in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from wxreg.data.batches import WindowBatch
from wxreg.errors import Incompatible
from wxreg.library.loading import Library
from wxreg.models.building import build
from wxreg.models.compiling import compiled
from wxreg.models.ensembles import CheckpointEnsemble
from wxreg.models.forecaster import Forecaster
from wxreg.models.heads import with_head
from wxreg.models.precision import Deviation, measured_deviation, with_precision
from wxreg.models.tiling import TiledForecaster
from wxreg.runs.blueprints import plan_statistics, untrained_blueprint
from wxreg.runs.checkpoint_ensembles import open_ensemble
from wxreg.runs.checkpoint_fit import check_fit
from wxreg.runs.checkpoints import open_checkpoint
from wxreg.runs.sampling.members import member_block
from wxreg.specs.plan import SamplePlan


@dataclass(frozen=True)
class Weights:
    """The forecaster of a plan and the SHA-256 of its checkpoint, if it has one."""

    forecaster: Forecaster
    checkpoint: str | None
    training_run: str | None = None


def load_weights_of(
    library: Library,
    plan: SamplePlan,
    checkpoint: Path | None,
    training_run: str | None,
    members: Sequence[Path] = (),
) -> Weights:
    """Open the checkpoint of a plan, or build the system that needs none."""
    if checkpoint is None:
        statistics = plan_statistics(
            library, plan, (("inputs", plan.inputs), ("targets", plan.targets))
        )
        blueprint = untrained_blueprint(plan, statistics, library.lexicon())
        return Weights(build(blueprint, seed=plan.seed).eval(), None)
    sampler = dict(plan.sampling.sampler) or None
    loaded = open_checkpoint(checkpoint, sampler, plan.checkpoint)
    check_fit(plan, loaded, checkpoint)
    if members:
        return Weights(open_ensemble(plan, members), loaded.sha256, training_run)
    return Weights(loaded.forecaster, loaded.sha256, training_run)


def declared_forecaster(
    plan: SamplePlan, forecaster: Forecaster, batch: WindowBatch
) -> tuple[Forecaster, Deviation | None]:
    """What samples the plan, and how far its numbers move the first members of ``batch``.

    The deviation from plain float32 is measured wherever weights are rounded or compiled.
    """
    sampling = plan.sampling
    if sampling.precision == "32" and not sampling.compile:
        return _tiled(plan, _headed(plan, forecaster)), None
    changed = with_precision(forecaster, sampling.precision)
    chosen = compiled(changed) if sampling.compile else changed
    tiled = (_tiled(plan, each) for each in (forecaster, chosen))
    one, two = (torch.from_numpy(member_block(each, batch, plan, 0)) for each in tiled)
    moved = measured_deviation(one, two, plan.targets.channels)
    return _tiled(plan, _headed(plan, chosen)), moved


def _headed(plan: SamplePlan, forecaster: Forecaster) -> Forecaster:
    """With the parameters of its head, where the plan asks for them."""
    if not plan.sampling.parameters:
        return forecaster
    if plan.post:
        raise Incompatible(
            "REG-461",
            "the parameters of a head say nothing of members that are corrected afterwards",
            where="sampling.parameters",
            hint="leave sampling.parameters false, or post out",
        )
    return with_head(forecaster)


def _tiled(plan: SamplePlan, forecaster: Forecaster) -> Forecaster:
    if plan.sampling.tile is None:
        return forecaster
    if isinstance(forecaster, CheckpointEnsemble):
        each = forecaster.first(len(forecaster.forecasters))
        return CheckpointEnsemble([_tiled(plan, one) for one in each])
    return TiledForecaster(forecaster, plan.sampling.tile, plan.sampling.overlap).eval()
