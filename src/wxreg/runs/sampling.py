"""``reg sample``: a checkpoint and initial times become one sealed forecast."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wxreg.artifacts.digests import prefix64
from wxreg.artifacts.layout import Layout
from wxreg.data.batches import BatchSource, WindowBatch
from wxreg.data.forecast_files import ForecastWriter, read_index
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.errors import Conflict
from wxreg.ids import inside
from wxreg.ledger.records import ForecastIndex
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.models.building import build
from wxreg.models.forecaster import Forecaster
from wxreg.models.noise import MemberNoise
from wxreg.models.precision import deviation, with_precision
from wxreg.models.rollout import roll_out
from wxreg.runs.blueprints import plan_statistics, untrained_blueprint
from wxreg.runs.checkpoint_ensembles import open_ensemble
from wxreg.runs.checkpoints import open_checkpoint
from wxreg.runs.devices import choose_accelerator, deterministic
from wxreg.runs.environment import conditions
from wxreg.runs.locking import plan_lock
from wxreg.runs.progress import Bar
from wxreg.runs.recording import Run, recorded
from wxreg.runs.refusals import refuse_sampling
from wxreg.runs.starts import chosen_windows
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.runs.tiles import sample_in_tiles
from wxreg.runs.unfinished import is_unfinished, take_over
from wxreg.specs.plan import SamplePlan


@dataclass(frozen=True)
class SampleOptions:
    """How a forecast is made; none of it is part of the plan."""

    out: Path | None = None
    accelerator: str = "auto"
    quiet: bool = False


@dataclass(frozen=True)
class Sampled:
    """What a sampling left."""

    run: str
    state: str
    forecast: Path
    digest: str
    inits: int
    seconds_per_member: float


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
    members: tuple[Path, ...] = (),
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
    if members:
        return Weights(open_ensemble(plan, members), loaded.sha256, training_run)
    return Weights(loaded.forecaster, loaded.sha256, training_run)


def sample(
    library: Library,
    ledger: Ledger,
    plan: SamplePlan,
    weights: Weights,
    options: SampleOptions,
    cases: Sequence[int] | None = None,
) -> Sampled:
    """Carry out a sample plan; its selection must have become a checkpoint by now."""
    refuse_sampling(plan)
    accelerator = choose_accelerator(options.accelerator)
    inputs, targets = ready_stores(library, plan.inputs, plan.targets)
    source = BatchSource(
        loader_settings(
            plan, (inputs, targets), plan.leads, periods=plan.starts.periods or None, truth=False
        )
    )
    windows = chosen_windows(source, plan, cases)
    target = _target(library, plan, options)
    parents = {plan.inputs.content: "inputs"}
    if weights.checkpoint:
        parents[weights.checkpoint] = "checkpoint"
    parents |= dict.fromkeys(plan.ensemble, "checkpoint")
    details = {"model": plan.about.model, "data": plan.inputs.dataset, "scale": plan.about.scale}
    size = plan.sampling.member_batch
    where = conditions(accelerator, member_batch=size, deterministic=True)
    with (
        plan_lock(library.root, plan.digest(), wait=False),
        deterministic(True),
        recorded(library.root, ledger, plan, where, parents, details) as run,
    ):
        path = target or Layout(library.root).forecast(run.id)
        began = time.monotonic()
        layout = _layout(library, source, plan, windows)
        weights = _rounded(plan, weights, source, windows, run, accelerator)
        root = _write(path, layout, source, plan, weights, windows, run, options, accelerator)
        spent = time.monotonic() - began
        digest = _seal(run, path, root, plan, weights, len(windows))
        per_member = spent / (len(windows) * plan.sampling.members)
        run.outcome |= {
            "forecast": digest,
            "path": str(path),
            "inits": len(windows),
            "seconds_per_member": round(per_member, 4),
        }
        return Sampled(run.id, "finished", path, digest, len(windows), per_member)


def _rounded(
    plan: SamplePlan,
    weights: Weights,
    source: BatchSource,
    windows: NDArray[np.int64],
    run: Run,
    accelerator: str,
) -> Weights:
    """Weights of the declared precision; how far the first forecast moved stays with the run."""
    if plan.sampling.precision == "32":
        return weights
    full = weights.forecaster.to(accelerator).eval()
    smaller = with_precision(full, plan.sampling.precision)
    batch = source.batch(windows[:1]).to(accelerator)
    one, two = (torch.from_numpy(member_block(each, batch, plan, 0)) for each in (full, smaller))
    spread = one.std(dim=(0, 1, 3, 4)).clamp(min=1e-30)[:, None, None]
    run.outcome["deviation"] = asdict(deviation(one, two, spread))
    return replace(weights, forecaster=smaller)


def _target(library: Library, plan: SamplePlan, options: SampleOptions) -> Path | None:
    """Where the forecast goes, if that was said; an existing place is refused."""
    if options.out is None:
        return None
    path = (
        inside(library.root, options.out, "--out") if not options.out.is_absolute() else options.out
    )
    if path.exists() and not is_unfinished(path, plan.digest()):
        raise Conflict(
            "REG-600", "a forecast is there already", where=str(path), hint="name another"
        )
    return path


def _layout(
    library: Library, source: BatchSource, plan: SamplePlan, windows: NDArray[np.int64]
) -> ForecastLayout:
    lexicon = library.lexicon()
    names = {channel.partition("@")[0] for channel in plan.targets.channels}
    place = source.reading.target_place
    return ForecastLayout(
        channels=plan.targets.channels,
        inits=tuple(int(init) for init in source.windows.init[windows]),
        leads=tuple(lead.seconds for lead in plan.leads),
        members=plan.sampling.members,
        member_block=min(plan.sampling.member_batch, plan.sampling.members),
        y=place.y,
        x=place.x,
        lat=place.lat,
        lon=place.lon,
        calendar=plan.targets.calendar,
        units={name: lexicon[name].units for name in sorted(names) if name in lexicon},
    )


def _claim(run: Run, plan: SamplePlan, weights: Weights) -> dict[str, Any]:
    """What the forecast says of itself, so that a copy can be asked without a ledger."""
    return {
        "model": plan.about.model,
        "checkpoint": weights.checkpoint,
        "training_run": weights.training_run,
        "sampling_run": run.id,
        "plan": plan.digest(),
        "data": {
            "inputs": {"dataset": plan.inputs.dataset, "content": plan.inputs.content},
            "targets": {"dataset": plan.targets.dataset, "content": plan.targets.content},
        },
        "statistics": {
            side: getattr(plan, side).statistics
            for side in ("inputs", "targets")
            if getattr(plan, side).statistics
        },
        "seed": plan.seed,
        "members": plan.sampling.members,
    }


def _write(
    path: Path,
    layout: ForecastLayout,
    source: BatchSource,
    plan: SamplePlan,
    weights: Weights,
    windows: NDArray[np.int64],
    run: Run,
    options: SampleOptions,
    accelerator: str,
) -> str:
    """Make and write every block; memory does not grow with members, leads or inits."""
    forecaster = weights.forecaster.to(accelerator).eval()
    bar = Bar(f"sample {plan.about.model}", len(windows), quiet=options.quiet)
    try:
        claim = _claim(run, plan, weights)
        take_over(path, run.layout.forecast(run.id).parent, claim)
        with ForecastWriter(path, layout, claim) as writer:
            for number, window in enumerate(windows):
                batch = source.batch(np.asarray([window])).to(accelerator)
                init = int(source.windows.init[window])
                for first in range(0, layout.members, layout.member_block):
                    if writer.done(init, first):
                        continue
                    block = member_block(forecaster, batch, plan, first)
                    writer.write(init, first, block)
                bar.at(number + 1)
            return writer.finish()
    finally:
        bar.close()


def member_block(
    forecaster: Forecaster, batch: WindowBatch, plan: SamplePlan, first: int
) -> NDArray[np.float32]:
    """Members ``first`` and following of one init ``(M, L, D, Y, X)``.

    A full member batch is always computed, so that the last block's bits do not depend on how
    many members were asked for; what is too much is left out.
    """
    size = plan.sampling.member_batch

    def noise() -> MemberNoise:
        return MemberNoise(plan.seed, batch.time.tolist(), size, first)

    torch.manual_seed(plan.seed)
    with torch.inference_mode():
        if plan.sampling.tile is not None:
            made = sample_in_tiles(forecaster, batch, plan, noise)
        else:
            made = _forecasts(forecaster, batch, plan, size, noise())
    wanted = min(size, plan.sampling.members - first)
    return np.ascontiguousarray(made[0, :wanted].float().cpu().numpy())


def _forecasts(
    forecaster: Forecaster, batch: WindowBatch, plan: SamplePlan, members: int, noise: MemberNoise
) -> torch.Tensor:
    """All asked leads ``(B, M, L, D, Y, X)``, step by step where the model rolls out."""
    if plan.lead.mode != "rollout":
        made = forecaster.sample(batch, members, noise)
        return made[:, :, _asked(plan)] if made.shape[2] != len(plan.leads) else made
    wanted = {plan.lead.step.steps_in(lead) for lead in plan.leads}
    steps = roll_out(forecaster, batch, members, noise, max(wanted))
    return torch.stack([made for step, made in enumerate(steps, 1) if step in wanted], dim=2)


def _asked(plan: SamplePlan) -> list[int]:
    """Which of the leads that a joint model always makes were asked for."""
    return [plan.lead.trained.index(lead) for lead in plan.leads]


def _seal(run: Run, path: Path, root: str, plan: SamplePlan, weights: Weights, inits: int) -> str:
    """Seal the forecast under its Merkle root; each byte was hashed when it was written."""
    entries = read_index(path)
    index = ForecastIndex(root, root, tuple(prefix64(entry.digest) for entry in entries))
    details = {"model": plan.about.model, "inits": inits, "members": plan.sampling.members}
    if weights.checkpoint:
        details["checkpoint"] = weights.checkpoint
    return run.seal(path, "forecast", {}, details, index)
