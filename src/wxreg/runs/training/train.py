"""``reg train``: one plan becomes one sealed checkpoint, or an error and a resume point."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.layout import Layout
from wxreg.data.augmenting import Augmentation
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
from wxreg.runs.locking import plan_lock
from wxreg.runs.recording import Run, recorded, reusable
from wxreg.runs.stores import ready_stores
from wxreg.runs.training.augmenting import check_orientation, plan_augmentation
from wxreg.runs.training.data import Loaders, training_source
from wxreg.runs.training.files import Files
from wxreg.runs.training.fit import Fit
from wxreg.runs.training.fitting import fit_once
from wxreg.runs.training.initial_weights import Start, find_start
from wxreg.runs.training.memory import memory_errors
from wxreg.runs.training.options import Trained, TrainOptions, is_follower
from wxreg.runs.training.resume import FILE, adopt, find_point, forget, read_point
from wxreg.runs.training.teaching import Teacher, find_teacher
from wxreg.specs.plan import TrainPlan
from wxreg.specs.statistics import Statistics

__all__ = ["TrainOptions", "Trained", "follow", "is_follower", "train", "train_or_reuse"]


@dataclass(frozen=True)
class _Given:
    """What a training needs beside its data: read before anything is written."""

    plan: TrainPlan
    statistics: dict[str, Statistics]
    blueprint: Blueprint
    teacher: Teacher | None
    start: Start | None
    augment: Augmentation | None

    @classmethod
    def read(cls, library: Library, ledger: Ledger, plan: TrainPlan) -> _Given:
        augment = plan_augmentation(plan, library.lexicon())
        sides = (("inputs", plan.inputs), ("targets", plan.targets))
        statistics = plan_statistics(library, plan, sides)
        return cls(
            plan,
            statistics,
            train_blueprint(plan, statistics, library.lexicon()),
            find_teacher(library, ledger, plan),
            find_start(library, ledger, plan),
            augment,
        )

    @property
    def sources(self) -> dict[str, str]:
        """What the run is made from, by digest."""
        found = {self.plan.inputs.content: "inputs", self.plan.targets.content: "targets"}
        found |= {known.digest(): f"{role} statistics" for role, known in self.statistics.items()}
        found |= self.teacher.sources if self.teacher else {}
        return found | (self.start.sources if self.start else {})

    def forecaster(self, outcome: dict[str, Any]) -> Forecaster:
        """The forecaster as training begins."""
        forecaster = build(self.blueprint, seed=self.plan.seed)
        check_orientation(self.plan, forecaster)
        if self.teacher is not None:
            self.teacher.teach(forecaster)
        if self.start is not None:
            outcome["initial"] = self.start.give(forecaster)
        return forecaster


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
        finished = _finished_meanwhile(library, ledger, plan) if options.wait else None
        if finished is not None and not options.again:
            return finished
        given = _Given.read(library, ledger, plan)
        paths = ready_stores(library, plan.inputs, plan.targets)
        point = find_point(Layout(library.root), plan.digest()) if options.resume else None
        details = {
            "model": plan.about.model,
            "scale": plan.about.scale,
            "data": plan.inputs.dataset,
            "resumed": point.parents[1].name if point else None,
        }
        with deterministic(plan.deterministic):
            where = conditions(accelerator, options.world)
            with recorded(library.root, ledger, plan, where, given.sources, details) as run:
                return _carried_out(library, run, given, paths, point, options, accelerator)


def _finished_meanwhile(library: Library, ledger: Ledger, plan: TrainPlan) -> Trained | None:
    """What the training that this one queued behind has left."""
    record, _ = reusable(ledger, plan)
    return None if record is None else reused(library, record)


def _carried_out(
    library: Library,
    run: Run,
    given: _Given,
    paths: tuple[Path, ...],
    point: Path | None,
    options: TrainOptions,
    accelerator: str,
) -> Trained:
    """Train inside a run that is recorded."""
    plan = given.plan
    start = given.forecaster(run.outcome)
    if plan.training.kind == "fit":
        return _fitted(library, run, plan, start, paths)
    if point is not None:
        adopt(point, run.folder)
    _fit(given, start, paths, point, run.folder, options, accelerator)
    best = read_point(Files(run.folder).resume / FILE, plan.digest()).best
    metrics: dict[str, Any] = {"validation": best.value, "best_step": best.step}
    if plan.training.select == SOUP:
        metrics["soup_of_epochs"] = _soup(plan, start, paths, run.folder)
    return _sealed(library, run, plan, metrics)


def follow(library: Library, ledger: Ledger, plan: TrainPlan, options: TrainOptions) -> None:
    """Train as one of several processes that a launcher started; the first one keeps records."""
    accelerator = choose_accelerator(options.accelerator)
    point = find_point(Layout(library.root), plan.digest()) if options.resume else None
    paths = _stores_of_the_first(library, plan)
    with deterministic(plan.deterministic):
        given = _Given.read(library, ledger, plan)
        start = given.forecaster({})
        _fit(given, start, paths, point, Path(os.devnull), options, accelerator)


def _stores_of_the_first(library: Library, plan: TrainPlan) -> tuple[Path, ...]:
    """The prepared stores, once the process that prepares them is done."""
    while True:
        try:
            return ready_stores(library, plan.inputs, plan.targets)
        except Conflict:
            time.sleep(1)


def _fit(
    given: _Given,
    forecaster: Forecaster,
    paths: tuple[Path, ...],
    point: Path | None,
    folder: Path,
    options: TrainOptions,
    accelerator: str,
) -> None:
    """Train by gradients on the training windows."""
    plan, (inputs, targets) = given.plan, paths
    with memory_errors(plan):
        loaders = Loaders.open(
            plan,
            (inputs, targets),
            world=options.world,
            workers=options.workers,
            augment=given.augment,
        )
        read = read_point(point, plan.digest()) if point else None
        Fit(plan, forecaster, loaders, folder, read, options, accelerator).run()


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


def _sealed(library: Library, run: Run, plan: TrainPlan, metrics: dict[str, Any]) -> Trained:
    """Seal what the run wrote and say which file is the checkpoint."""
    files = Files(run.folder)
    chosen = plan.training.select
    found: dict[str, str] = {}
    for path in sorted((run.folder / "checkpoints").glob("*.safetensors")):
        details = {"model": plan.about.model, "scale": plan.about.scale, "name": path.stem}
        found[path.stem] = run.seal(path, "checkpoint", {}, details)
    forget(files.resume)
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
