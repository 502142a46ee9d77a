"""``reg train``: one plan becomes one sealed checkpoint, or an error and a resume point."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wxreg.artifacts.layout import Layout
from wxreg.errors import Conflict, UsageError
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.models.building import build
from wxreg.models.forecaster import Blueprint, Forecaster
from wxreg.runs.blueprints import plan_statistics, train_blueprint
from wxreg.runs.checkpoint_ensembles import SOUP, make_soup
from wxreg.runs.devices import choose_accelerator, deterministic
from wxreg.runs.environment import conditions
from wxreg.runs.fitting import fit_once
from wxreg.runs.freezing import freeze_weights
from wxreg.runs.locking import plan_lock
from wxreg.runs.progress import Bar
from wxreg.runs.recording import Run, recorded, reusable
from wxreg.runs.refusals import refuse_training
from wxreg.runs.resume import FILE, Best, Point, adopt, find_point, read_point
from wxreg.runs.stores import ready_stores
from wxreg.runs.teaching import Teacher, find_teacher
from wxreg.runs.training_data import Loaders, training_source
from wxreg.runs.training_loop import Between, Files, Steps, make_trainer, out_of_memory
from wxreg.runs.training_module import TrainingModule
from wxreg.specs.plan import TrainPlan
from wxreg.specs.statistics import Statistics

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "DefaultCPUAllocator")


@dataclass(frozen=True)
class TrainOptions:
    """How a training is carried out; none of it is part of the plan."""

    resume: bool = False
    again: bool = False
    wait: bool = False
    devices: int = 1
    accelerator: str = "auto"
    workers: int = 0
    resume_seconds: float = 30.0
    quiet: bool = False

    @property
    def world(self) -> int:
        """How many processes train together, whoever started them."""
        return int(os.environ.get("WORLD_SIZE", self.devices))


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    run: str
    state: str
    checkpoint: Path
    sha256: str
    metrics: dict[str, Any]
    reused: bool = False


def train_or_reuse(
    library: Library,
    ledger: Ledger,
    plan: TrainPlan,
    options: TrainOptions,
    note: Callable[[str], None],
) -> Trained:
    """The finished run of this plan, code and environment if there is one; else train."""
    if not options.again and not options.resume:
        record, why = reusable(ledger, plan)
        if record is not None:
            note(f"{record.id} trained this plan already; --again trains it once more")
            return reused(library, record)
        if why:
            note(f"{why}: training again")
    return train(library, ledger, plan, options)


def train(library: Library, ledger: Ledger, plan: TrainPlan, options: TrainOptions) -> Trained:
    """Carry out a training plan; the same plan never trains twice at once."""
    refuse_training(plan)
    accelerator = choose_accelerator(options.accelerator)
    with plan_lock(library.root, plan.digest(), wait=options.wait):
        statistics = _statistics(library, plan)
        paths = ready_stores(library, plan.inputs, plan.targets)
        point = find_point(Layout(library.root), plan.digest()) if options.resume else None
        blueprint = train_blueprint(plan, statistics, library.lexicon())
        sources = {plan.inputs.content: "inputs", plan.targets.content: "targets"}
        sources |= {found.digest(): f"{role} statistics" for role, found in statistics.items()}
        details = {
            "model": plan.about.model,
            "scale": plan.about.scale,
            "data": plan.inputs.dataset,
            "resumed": point.parents[1].name if point else None,
        }
        teacher = find_teacher(library, ledger, plan)
        sources |= teacher.sources if teacher else {}
        with deterministic(plan.deterministic):
            where = conditions(accelerator, options.world)
            with recorded(library.root, ledger, plan, where, sources, details) as run:
                if plan.training.kind == "fit":
                    return _fitted(library, run, plan, build(blueprint, seed=plan.seed), paths)
                if point is not None:
                    adopt(point, run.folder)
                start = _started(plan, blueprint, teacher)
                _fit_from(plan, start, paths, point, run.folder, options, accelerator)
                best = read_point(Files(run.folder).resume / FILE, plan.digest()).best
                metrics: dict[str, Any] = {"validation": best.value, "best_step": best.step}
                if plan.training.select == SOUP:
                    metrics["soup_of_epochs"] = _soup(plan, start, paths, run.folder)
                return _sealed(library, run, plan, metrics)


def follow(library: Library, plan: TrainPlan, options: TrainOptions) -> None:
    """Train as one of several processes that a launcher started; the first one keeps records."""
    refuse_training(plan)
    accelerator = choose_accelerator(options.accelerator)
    point = find_point(Layout(library.root), plan.digest()) if options.resume else None
    paths = _stores_of_the_first(library, plan)
    nowhere = Path(os.devnull)
    with deterministic(plan.deterministic):
        blueprint = train_blueprint(plan, _statistics(library, plan), library.lexicon())
        start = _started(plan, blueprint, None)
        _fit_from(plan, start, paths, point, nowhere, options, accelerator)


def _stores_of_the_first(library: Library, plan: TrainPlan) -> tuple[Path, ...]:
    """The prepared stores, once the process that prepares them is done."""
    while True:
        try:
            return ready_stores(library, plan.inputs, plan.targets)
        except Conflict:
            time.sleep(1)


def _statistics(library: Library, plan: TrainPlan) -> dict[str, Statistics]:
    return plan_statistics(library, plan, (("inputs", plan.inputs), ("targets", plan.targets)))


def _started(plan: TrainPlan, blueprint: Blueprint, teacher: Teacher | None) -> Forecaster:
    """The forecaster as training begins."""
    forecaster = build(blueprint, seed=plan.seed)
    if teacher is not None:
        teacher.teach(forecaster)
    return forecaster


def _soup(
    plan: TrainPlan, forecaster: Forecaster, paths: tuple[Path, ...], folder: Path
) -> tuple[int, ...]:
    """Average the epochs that lower the validation loss; which those are."""
    inputs, targets = paths
    loaders = Loaders.open(plan, (inputs, targets), world=1, workers=0)
    return make_soup(plan, forecaster.cpu(), loaders.validation, folder / "checkpoints")


def _fitted(
    library: Library, run: Run, plan: TrainPlan, forecaster: Forecaster, paths: tuple[Path, ...]
) -> Trained:
    """One pass over the training windows in place of steps."""
    inputs, targets = paths
    seen = fit_once(plan, forecaster, training_source(plan, (inputs, targets)), run)
    return _sealed(library, run, plan, dict(seen))


def _fit_from(
    plan: TrainPlan,
    forecaster: Forecaster,
    paths: tuple[Path, ...],
    point: Path | None,
    folder: Path,
    options: TrainOptions,
    accelerator: str,
) -> None:
    inputs, targets = paths
    loaders = Loaders.open(plan, (inputs, targets), world=options.world, workers=options.workers)
    read = read_point(point, plan.digest()) if point else None
    fit(plan, forecaster, loaders, folder, read, options, accelerator)


def fit(
    plan: TrainPlan,
    forecaster: Forecaster,
    loaders: Loaders,
    folder: Path,
    point: Point | None,
    options: TrainOptions,
    accelerator: str,
) -> None:
    """Train to the last step; results are files in ``folder``, whichever process writes them."""
    training = plan.training
    steps = training.steps or (training.epochs or 1) * loaders.per_epoch
    freeze_weights(forecaster, training.freeze)
    module = TrainingModule(forecaster, plan, steps, loaders.per_epoch)
    if point is not None:
        point.restore(module)
    best = point.best if point is not None else Best()
    bar = Bar(f"train {plan.about.model}", steps, quiet=options.quiet)
    between = Between(
        plan,
        Files(folder),
        lambda: list(loaders.validation),
        best,
        every=training.validate_every or loaders.per_epoch,
        resume_seconds=options.resume_seconds,
        words={},
        bar=bar,
    )
    try:
        _run(plan, module, loaders, point, between, steps, options, accelerator)
    except (RuntimeError, MemoryError) as error:
        if any(word in str(error) for word in _MEMORY_WORDS) or isinstance(error, MemoryError):
            raise out_of_memory(error, plan) from error
        raise
    finally:
        bar.close()


def _run(
    plan: TrainPlan,
    module: TrainingModule,
    loaders: Loaders,
    point: Point | None,
    between: Between,
    steps: int,
    options: TrainOptions,
    accelerator: str,
) -> None:
    left = steps - module.step
    if left <= 0:
        return
    if point is not None:
        restore = point.restore_optimizer
        original = module.configure_optimizers

        def configure() -> torch.optim.Optimizer:
            optimizer = original()
            restore(optimizer)
            return optimizer

        module.configure_optimizers = configure  # type: ignore[method-assign]
    trainer = make_trainer(plan, left, options.devices, options.world, accelerator, between)
    first, accumulate = module.step, plan.training.accumulate
    module.train_dataloader = lambda: _loader(loaders.steps(module.global_rank, first, accumulate))
    try:
        trainer.fit(module)
    except SystemExit:
        for child in multiprocessing.active_children():  # the ranks that were forked here
            child.terminate()
            child.join()
        raise


def _loader(steps: Steps) -> Any:
    return torch.utils.data.DataLoader(steps, batch_size=None, num_workers=0)


def _sealed(library: Library, run: Run, plan: TrainPlan, metrics: dict[str, Any]) -> Trained:
    """Seal what the run wrote and say which file is the checkpoint."""
    files = Files(run.folder)
    chosen = plan.training.select
    found: dict[str, str] = {}
    for path in sorted((run.folder / "checkpoints").glob("*.safetensors")):
        details = {"model": plan.about.model, "scale": plan.about.scale, "name": path.stem}
        found[path.stem] = run.seal(path, "checkpoint", {}, details)
    (files.resume / FILE).unlink(missing_ok=True)
    run.outcome |= {"checkpoint": found[chosen], "checkpoints": found, "metrics": metrics}
    return Trained(run.id, "finished", files.checkpoint(chosen), found[chosen], metrics)


def reused(library: Library, record: RunRecord) -> Trained:
    """A finished run of the same plan, code and environment."""
    outcome = record.outcome
    sha256 = str(outcome["checkpoint"])
    names = {digest: name for name, digest in outcome["checkpoints"].items()}
    path = Layout(library.root).checkpoint(record.id, names[sha256])
    if not path.is_file():
        raise UsageError(
            "REG-260",
            f"{record.id} trained this plan, but its checkpoint is gone",
            where=str(path),
            hint="`reg train --again` makes it anew",
        )
    return Trained(record.id, "finished", path, sha256, dict(outcome["metrics"]), reused=True)


def is_follower() -> bool:
    """Whether this process is one of several that a launcher started, and not the first."""
    return int(os.environ.get("RANK", "0")) > 0
