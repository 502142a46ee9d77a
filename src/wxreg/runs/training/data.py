"""The batches of a training: which windows, in which order, and which of them validate it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wxreg.data.augmenting import Augmentation
from wxreg.data.batches import BatchSource, WindowBatch, WindowLoader
from wxreg.data.curriculum import Curriculum, Stage
from wxreg.data.fields import FieldStore
from wxreg.data.order import Order
from wxreg.data.tiles import Tile
from wxreg.errors import Incompatible
from wxreg.runs.stores import loader_settings
from wxreg.runs.training.steps import Steps
from wxreg.specs.plan import TrainPlan
from wxreg.specs.training import RareSampling

_AT_ONCE = 64
"""Times whose fields are in memory together."""


@dataclass(frozen=True)
class Loaders:
    """The batches of a training and the fixed ones that validate it."""

    train: BatchSource
    validation: tuple[WindowBatch, ...]
    order: Order
    per_epoch: int
    workers: int
    augment: Augmentation | None = None
    curriculum: Curriculum | None = None

    @classmethod
    def open(
        cls,
        plan: TrainPlan,
        paths: tuple[Path, Path],
        *,
        world: int,
        workers: int,
        augment: Augmentation | None = None,
    ) -> Loaders:
        """Enumerate the windows of both splits."""
        training = plan.training
        source = training_source(plan, paths)
        part = training.batch // training.accumulate
        weights = None if training.rare is None else rare_weights(source, training.rare, paths[1])
        order = Order(len(source), part, seed=plan.seed, world=world, weights=weights)
        per_epoch = order.batches // training.accumulate
        if per_epoch < 1:
            raise Incompatible(
                "REG-460",
                f"{len(source)} training samples do not fill one global batch of {training.batch}",
                hint="make training.batch smaller, or train on a longer version",
            )
        held_out = BatchSource(replace(source.reading.settings, periods=plan.splits.validation))
        validation = _validation(held_out, part, training.validation_batches)
        curriculum = _curriculum(plan, source, per_epoch)
        return cls(source, validation, order, per_epoch, workers, augment, curriculum)

    def steps(self, rank: int, first: int, accumulate: int) -> Steps:
        """The training batches of one rank from an optimizer step on."""
        loader = WindowLoader(
            self.train,
            self.order,
            rank,
            self.workers,
            augment=self.augment,
            curriculum=self.curriculum,
        )
        return Steps(loader, self.per_epoch, first, accumulate)


def training_source(plan: TrainPlan, paths: tuple[Path, Path]) -> BatchSource:
    """Every window of the training periods, cut into tiles where the plan says so."""
    leads = plan.lead.trained if plan.lead.mode != "rollout" else (plan.lead.step,)
    one_lead = plan.lead.mode == "direct"
    settings = loader_settings(
        plan, paths, leads, periods=plan.splits.train, truth=True, one_lead=one_lead
    )
    if plan.training.tile is not None:
        settings = replace(settings, tile=Tile(plan.training.tile))
    return BatchSource(settings)


def _curriculum(plan: TrainPlan, source: BatchSource, per_epoch: int) -> Curriculum | None:
    """The declared stages, counted in the batches that are loaded."""
    parts = plan.training.accumulate
    stages = tuple(
        Stage(stage.after * parts, tuple(lead.seconds for lead in stage.leads))
        for stage in plan.training.curriculum
    )
    if not stages:
        return None
    made = Curriculum(stages, per_epoch * parts)
    made.check(source.windows)
    return made


def _validation(source: BatchSource, batch: int, limit: int | None) -> tuple[WindowBatch, ...]:
    """Evenly spread validation batches, read once."""
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


def rare_weights(source: BatchSource, rare: RareSampling, store: Path) -> NDArray[np.float64]:
    """How often each window is drawn: more often where one of its targets is rare."""
    targets = source.windows.targets
    times = np.unique(targets)
    opened = FieldStore(store, (rare.variable,))
    is_rare = np.zeros(int(times.max(initial=0)) + 1, bool)
    for start in range(0, len(times), _AT_ONCE):
        piece = times[start : start + _AT_ONCE]
        reached = opened.at(piece)[:, 0] >= rare.threshold
        is_rare[piece] = reached.mean(axis=(-2, -1)) >= rare.share
    return np.where(is_rare[targets].any(axis=1), rare.weight, 1.0)
