"""``reg sample``: a checkpoint and initial times become one sealed forecast."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wxreg.artifacts.layout import Layout
from wxreg.data.batches import BatchSource
from wxreg.data.forecast_files import ForecastWriter
from wxreg.data.windows import Start
from wxreg.errors import Incompatible
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.models.compiling import compiling
from wxreg.models.forecaster import Forecaster
from wxreg.models.heads import described_heads
from wxreg.runs.devices import choose_accelerator, deterministic
from wxreg.runs.environment import conditions
from wxreg.runs.locking import plan_lock
from wxreg.runs.progress import Bar
from wxreg.runs.recording import Run, recorded
from wxreg.runs.sampling.members import member_block
from wxreg.runs.sampling.observing import observe_period
from wxreg.runs.sampling.post_processing import PostProcessing, fit_post_processing
from wxreg.runs.sampling.starts import chosen_windows
from wxreg.runs.sampling.store import (
    filled_json,
    forecast_claim,
    forecast_layout,
    forecast_target,
    seal_forecast,
)
from wxreg.runs.sampling.unfinished import take_over
from wxreg.runs.sampling.weights import Weights, declared_forecaster
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.specs.plan import SamplePlan

POST = "post.npz"
"""The file of a run that keeps the numbers of its post-processing."""


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
class _Work:
    """One sampling under way."""

    library: Library
    plan: SamplePlan
    source: BatchSource
    windows: NDArray[np.int64]
    accelerator: str
    quiet: bool


def sample(
    library: Library,
    ledger: Ledger,
    plan: SamplePlan,
    weights: Weights,
    options: SampleOptions,
    cases: Sequence[Start] | None = None,
) -> Sampled:
    """Carry out a sample plan; its selection must have become a checkpoint by now."""
    accelerator = choose_accelerator(options.accelerator)
    inputs, targets = ready_stores(library, plan.inputs, plan.targets)
    periods = plan.starts.periods or None
    source = BatchSource(
        loader_settings(plan, (inputs, targets), plan.leads, periods=periods, truth=False)
    )
    windows = chosen_windows(source, plan, cases)
    work = _Work(library, plan, source, windows, accelerator, options.quiet)
    target = forecast_target(library, plan, options.out)
    details = {"model": plan.about.model, "data": plan.inputs.dataset, "scale": plan.about.scale}
    size = plan.sampling.member_batch
    where = conditions(accelerator, member_batch=size, deterministic=True)
    cache = Layout(library.root).cache / "compiled"
    with (
        plan_lock(library.root, plan.digest(), wait=False),
        deterministic(True),
        compiling(cache) if plan.sampling.compile else nullcontext(),
        recorded(library.root, ledger, plan, where, _parents(plan, weights), details) as run,
    ):
        path = target or Layout(library.root).forecast(run.id)
        began = time.monotonic()
        root = _forecast(work, weights, run, path)
        per_member = (time.monotonic() - began) / (len(windows) * plan.sampling.members)
        digest = seal_forecast(run, path, root, plan, weights.checkpoint, len(windows))
        run.outcome |= {
            "forecast": digest,
            "path": str(path),
            "inits": len(windows),
            "seconds_per_member": round(per_member, 4),
        }
        return Sampled(run.id, "finished", path, digest, len(windows), per_member)


def _parents(plan: SamplePlan, weights: Weights) -> dict[str, str]:
    parents = {plan.inputs.content: "inputs"}
    if weights.checkpoint:
        parents[weights.checkpoint] = "checkpoint"
    return parents | dict.fromkeys(plan.ensemble, "checkpoint")


def _forecast(work: _Work, weights: Weights, run: Run, path: Path) -> str:
    """Make the store; what was declared beyond the plain model is recorded with the run."""
    plan, source = work.plan, work.source
    filled = source.reading.filled_inputs(source.windows.choose(work.windows))
    described = filled_json(plan, filled)
    if plan.sampling.missing != "refuse":
        run.outcome["filled_inputs"] = described
    observe_period(weights.forecaster, source, plan)
    first = source.batch(work.windows[:1]).to(work.accelerator)
    full = weights.forecaster.to(work.accelerator).eval()
    forecaster, moved = declared_forecaster(plan, full, first)
    if moved is not None:
        run.outcome["deviation"] = asdict(moved)
    post = _post_processing(work, forecaster, run)
    claim = forecast_claim(run, plan, weights.checkpoint, weights.training_run, described)
    if plan.post:
        claim["post"] = {"steps": post.record(), "digest": post.digest()}
    take_over(path, run.layout.forecast(run.id).parent, claim)
    heads = described_heads(full.blueprint) if plan.sampling.parameters else {}
    layout = forecast_layout(work.library, source, plan, work.windows, heads)
    with ForecastWriter(path, layout, claim) as writer:
        _write(work, writer, forecaster, post)
        return writer.finish()


def _post_processing(work: _Work, forecaster: Forecaster, run: Run) -> PostProcessing:
    """The fitted corrections, their numbers kept beside the run's other files."""
    post = fit_post_processing(
        work.library,
        work.plan,
        lambda batch: member_block(forecaster, batch.to(work.accelerator), work.plan, 0),
    )
    if work.plan.post:
        post.save(run.folder / POST)
        run.outcome["post"] = {"steps": post.record(), "digest": post.digest()}
    return post


def _write(
    work: _Work, writer: ForecastWriter, forecaster: Forecaster, post: PostProcessing
) -> None:
    """Make and write every block; memory does not grow with members, leads or inits."""
    plan, layout = work.plan, writer.layout
    bar = Bar(f"sample {plan.about.model}", len(work.windows), quiet=work.quiet)
    try:
        for number, (window, start) in enumerate(zip(work.windows, layout.starts, strict=True)):
            left = [
                first
                for first in range(0, layout.members, layout.member_block)
                if not writer.done(start.init, first, start.segment)
            ]
            if left:
                batch = work.source.batch(np.asarray([window])).to(work.accelerator)
            for first in left:
                block = member_block(forecaster, batch, plan, first)
                _refuse_equal_members(plan, block)
                writer.write(start.init, first, post(block), start.segment)
            bar.at(number + 1)
    finally:
        bar.close()


def _refuse_equal_members(plan: SamplePlan, block: NDArray[np.float32]) -> None:
    """An ensemble whose members are one forecast is a mistake in its strategy."""
    if len(block) > 1 and all(np.array_equal(block[0], one, equal_nan=True) for one in block[1:]):
        raise Incompatible(
            "REG-461",
            f"all members are equal: {plan.about.model} draws nothing under the strategy "
            f"{plan.sampling.strategy}",
            where="sampling.strategy",
            hint="--set sampling.strategy=perturbed-inputs --set sampling.perturbation=0.1, "
            "or ask for one member",
        )
