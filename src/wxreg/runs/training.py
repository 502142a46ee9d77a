"""``reg train``: one plan becomes one sealed checkpoint, or an error and a resume point."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from wxreg.data.batches import BatchSource, WindowBatch, WindowLoader
from wxreg.data.order import Order
from wxreg.errors import Incompatible, UsageError
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.models.building import build
from wxreg.models.forecaster import Forecaster
from wxreg.runs.blueprints import plan_statistics, train_blueprint
from wxreg.runs.environment import conditions
from wxreg.runs.freezing import freeze_weights
from wxreg.runs.locking import plan_lock
from wxreg.runs.progress import Bar
from wxreg.runs.recording import Run, recorded, reusable
from wxreg.runs.resume import FILE, Best, Point, adopt, find_point, read_point
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.runs.training_loop import Between, Files, Steps, make_trainer, out_of_memory
from wxreg.runs.training_module import TrainingModule
from wxreg.specs.plan import TrainPlan

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
    accelerator = choose_accelerator(options.accelerator)
    with plan_lock(library.root, plan.digest(), wait=options.wait):
        statistics = plan_statistics(
            library, plan, (("inputs", plan.inputs), ("targets", plan.targets))
        )
        inputs, targets = ready_stores(library, plan.inputs, plan.targets)
        point = find_point(_layout(library), plan.digest()) if options.resume else None
        sources = {plan.inputs.content: "inputs", plan.targets.content: "targets"}
        sources |= {found.digest(): f"{role} statistics" for role, found in statistics.items()}
        details = {
            "model": plan.about.model,
            "scale": plan.about.scale,
            "data": plan.inputs.dataset,
            "resumed": point.parents[1].name if point else None,
        }
        where = conditions(accelerator, options.devices)
        with (
            deterministic(plan.deterministic),
            recorded(library.root, ledger, plan, where, sources, details) as run,
        ):
            if point is not None:
                adopt(point, run.folder)
            forecaster = build(train_blueprint(plan, statistics, library.lexicon()), seed=plan.seed)
            loaders = Loaders.open(plan, (inputs, targets), options)
            read = read_point(point, plan.digest()) if point else None
            best = fit(plan, forecaster, loaders, run.folder, read, options, accelerator)
            return _sealed(library, run, plan, best)


def _layout(library: Library) -> Any:
    from wxreg.artifacts.layout import Layout

    return Layout(library.root)


def choose_accelerator(asked: str) -> str:
    """``cpu``, ``cuda`` or ``mps``; a device that is not there is refused."""
    have = ["cpu"]
    if torch.cuda.is_available():
        have.insert(0, "cuda")
    if torch.backends.mps.is_available():
        have.insert(0, "mps")
    if asked == "auto":
        return have[0]
    if asked not in have:
        raise Incompatible(
            "REG-460",
            f"there is no {asked} device here",
            where="--device",
            hint=f"this machine has {', '.join(have)}",
        )
    return asked


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Deterministic algorithms while the block runs."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@dataclass(frozen=True)
class Loaders:
    """The batches of a training and the fixed ones that validate it."""

    train: BatchSource
    validation: tuple[WindowBatch, ...]
    order: Order
    per_epoch: int
    workers: int

    @classmethod
    def open(cls, plan: TrainPlan, paths: tuple[Path, Path], options: TrainOptions) -> Loaders:
        """Enumerate the windows of both splits."""
        training = plan.training
        one_lead = plan.lead.mode == "direct"
        leads = plan.lead.trained if plan.lead.mode != "rollout" else (plan.lead.step,)
        common = loader_settings(
            plan, paths, leads, periods=plan.splits.train, truth=True, one_lead=one_lead
        )
        source = BatchSource(common)
        part = training.batch // training.accumulate
        order = Order(len(source), part, seed=plan.seed, world=options.devices)
        per_epoch = order.batches // training.accumulate
        if per_epoch < 1:
            raise Incompatible(
                "REG-460",
                f"{len(source)} training samples do not fill one global batch of {training.batch}",
                hint="make training.batch smaller, or train on a longer version",
            )
        held_out = BatchSource(replace(common, periods=plan.splits.validation))
        return cls(
            source,
            _validation(held_out, part, training.validation_batches),
            order,
            per_epoch,
            options.workers,
        )

    def steps(self, rank: int, first: int, accumulate: int) -> Steps:
        """The training batches of one rank from an optimizer step on."""
        loader = WindowLoader(self.train, self.order, rank, self.workers)
        return Steps(loader, self.per_epoch, first, accumulate)


def _validation(source: BatchSource, batch: int, limit: int | None) -> tuple[WindowBatch, ...]:
    """Evenly spread validation batches, read once."""
    import numpy as np

    count = len(source)
    if count == 0:
        raise Incompatible("REG-460", "the validation periods hold no complete sample")
    wanted = count if limit is None else min(count, limit * batch)
    chosen = np.linspace(0, count - 1, wanted).round().astype(np.int64)
    pieces = np.array_split(chosen, max(1, -(-wanted // batch)))
    room = source.reading.room
    return tuple(
        source.batch(piece, None if room is None else np.zeros((len(piece), 2), np.int64))
        for piece in pieces
    )


def fit(
    plan: TrainPlan,
    forecaster: Forecaster,
    loaders: Loaders,
    folder: Path,
    point: Point | None,
    options: TrainOptions,
    accelerator: str,
) -> Best:
    """Train to the last step; results are files in ``folder``, whichever process writes them."""
    training = plan.training
    steps = training.steps or (training.epochs or 1) * loaders.per_epoch
    freeze_weights(forecaster, training.freeze)
    module = TrainingModule(forecaster, training, plan.seed, steps, loaders.per_epoch)
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
    return read_point(Files(folder).resume / FILE, plan.digest()).best


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
    trainer = make_trainer(plan, left, options.devices, accelerator, between)
    first, accumulate = module.step, plan.training.accumulate
    module.train_dataloader = lambda: _loader(loaders.steps(module.global_rank, first, accumulate))
    trainer.fit(module)


def _loader(steps: Steps) -> Any:
    return torch.utils.data.DataLoader(steps, batch_size=None, num_workers=0)


def _sealed(library: Library, run: Run, plan: TrainPlan, best: Best) -> Trained:
    """Seal what the run wrote and say which file is the checkpoint."""
    files = Files(run.folder)
    chosen = plan.training.select
    found: dict[str, str] = {}
    for path in sorted((run.folder / "checkpoints").glob("*.safetensors")):
        details = {"model": plan.about.model, "scale": plan.about.scale, "name": path.stem}
        found[path.stem] = run.seal(path, "checkpoint", {}, details)
    (files.resume / FILE).unlink(missing_ok=True)
    metrics = {"validation": best.value, "best_step": best.step}
    run.outcome |= {"checkpoint": found[chosen], "checkpoints": found, "metrics": metrics}
    return Trained(run.id, "finished", files.checkpoint(chosen), found[chosen], metrics)


def reused(library: Library, record: RunRecord) -> Trained:
    """A finished run of the same plan, code and environment."""
    from wxreg.artifacts.layout import Layout

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
